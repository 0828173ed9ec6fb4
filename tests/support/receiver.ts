// An HTTP server that is told things: keeps what it heard, and answers as it is told to.

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Heard {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Receiver {
  /** Without a slash at the end. */
  readonly url: string;
  readonly heard: Heard[];
  /** What the next requests to this path are answered, in order; then 204. */
  answer(path: string, ...answers: ((response: ServerResponse) => unknown)[]): void;
  /** The requests to this path. */
  at(path: string): Heard[];
  close(): Promise<void>;
}

export const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(code, headers).end();

/** Never answers. */
export const hang = () => {};

/** Breaks the connection. */
export const reset = (response: ServerResponse) => response.destroy();

export async function receiver(): Promise<Receiver> {
  const heard: Heard[] = [];
  const answers = new Map<string, ((response: ServerResponse) => unknown)[]>();
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = incoming;
    heard.push({ method, path: url, headers, body: Buffer.concat(chunks).toString("utf8") });
    (answers.get(url)?.shift() ?? status(204))(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    answer: (path, ...next) => void answers.set(path, next),
    at: (path) => heard.filter((one) => one.path === path),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
