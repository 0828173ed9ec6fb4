// An origin as it stands behind a front door: it tells what it received, and answers in every way
// that the tests ask for by path. Listens on 127.0.0.1.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const { WebSocketServer } = createRequire(join(ROOT, "node_modules", "wrangler", "package.json"))("ws");

/** What came with one request. */
export interface Seen {
  method: string;
  url: string;
  headers: Record<string, string | string[]>;
  /** Names in the order in which they came, with all doubles. */
  names: string[];
  /** How many bytes of the body came, and their SHA-256 once the body was whole. */
  bytes: number;
  sha256: string | null;
  aborted: boolean;
}

export interface OriginServer {
  port: number;
  url: string;
  seen: Seen[];
  /** The last request. */
  last(): Seen;
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams, seen: Seen) => unknown;

const MEGABYTE = Buffer.alloc(1_000_000, "x");

/** Ranges and conditions as a file server has them. */
const file: Handler = (request, response) => {
  const bytes = "0123456789";
  if (request.headers["if-none-match"] === '"v1"') return response.writeHead(304, { etag: '"v1"' }).end();
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (!range) return response.writeHead(200, { etag: '"v1"', "accept-ranges": "bytes", "content-length": 10 }).end(bytes);
  const [from, to] = [Number(range[1]), Number(range[2])];
  const part = bytes.slice(from, to + 1);
  response.writeHead(206, { "content-range": `bytes ${from}-${to}/10`, "content-length": part.length }).end(part);
};

const HANDLERS: Record<string, Handler> = {
  status: (_, response, query) => {
    const type = query.get("type");
    response.writeHead(Number(query.get("code")), { "x-own": "kept", ...(type && { "content-type": type }) }).end("the origin's own words");
  },
  headers: (_, response, query) => {
    for (const [name, value] of query) if (name !== "cookie" && name !== "status") response.setHeader(name, value);
    if (query.has("cookie")) response.setHeader("set-cookie", query.getAll("cookie"));
    response.statusCode = Number(query.get("status") ?? (query.has("location") ? 302 : 200));
    response.end();
  },
  ticks: async (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (let count = 1; count <= 3 && !response.destroyed; count += 1) {
      response.write(`data: ${count}\n\n`);
      await sleep(400);
    }
    response.end();
  },
  large: async (_, response, query) => {
    let left = Number(query.get("megabytes"));
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": left * MEGABYTE.length });
    for (; left > 0 && !response.destroyed; left -= 1) if (!response.write(MEGABYTE)) await once(response, "drain");
    response.end();
  },
  duplex: (request, response) => {
    response.writeHead(200);
    response.flushHeaders();
    request.pipe(response);
  },
  late: async (_, response, query) => {
    await sleep(Number(query.get("ms")));
    response.end("late");
  },
  slow: async (_, response, query) => {
    response.write("first ");
    await sleep(Number(query.get("ms")));
    response.end("last");
  },
  hang: () => {},
  gzip: (_, response) => {
    const bytes = gzipSync("hello ".repeat(1000));
    response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip", "content-length": bytes.length }).end(bytes);
  },
  early: (request, response) => {
    response.writeHead(413, { "content-length": 0 }).end();
    request.resume();
  },
  file,
};

/** Serves until it is closed. `/<anything>/…/<handler>` is handled by the last segment, all else is told. */
export async function originServer(): Promise<OriginServer> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://origin");
    const entry = note(request);
    seen.push(entry);
    const handler = HANDLERS[pathname.split("/").at(-1) ?? ""];
    if (handler && handler !== HANDLERS["duplex"]) drain(request, entry);
    if (handler) return handler(request, response, searchParams, entry);
    await drain(request, entry);
    response.setHeader("content-type", "application/json");
    const body = JSON.stringify({ ...entry, told: true });
    response.setHeader("content-length", Buffer.byteLength(body));
    response.end(body);
  });
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {}); // a client that breaks off is no event here
  });
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered: Set<string>) => (offered.has("chat") ? "chat" : false),
  });
  sockets.on("headers", (headers: string[], request: IncomingMessage) => {
    const { searchParams } = new URL(request.url ?? "/", "http://origin");
    for (const cookie of searchParams.getAll("cookie")) headers.push(`Set-Cookie: ${cookie}`);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    seen.push(note(request));
    if (request.url?.includes("refuse")) return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    sockets.handleUpgrade(request, socket, head, (client: any) => {
      client.on("message", (data: Buffer, binary: boolean) => {
        if (String(data) === "bye") client.close(4001, "as you wish");
        else client.send(binary ? data : `you said ${data}`, { binary });
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    seen,
    last: () => seen.at(-1)!,
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, "close");
    },
  };
}

function note(request: IncomingMessage): Seen {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  const headers = request.headers as Record<string, string | string[]>;
  return { method: request.method ?? "", url: request.url ?? "", headers, names, bytes: 0, sha256: null, aborted: false };
}

async function drain(request: IncomingMessage, entry: Seen): Promise<void> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of request) {
      entry.bytes += chunk.length;
      hash.update(chunk);
    }
    entry.sha256 = hash.digest("hex");
  } catch {
    entry.aborted = true;
  }
}
