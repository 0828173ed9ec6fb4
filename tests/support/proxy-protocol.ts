// What stands in front of a server and expects the PROXY protocol: decodes the header strictly, as the
// specification says (haproxy, doc/proxy-protocol.txt), and passes on what follows. Without a header it hangs up.

import { type Socket, connect, isIPv4, isIPv6 } from "node:net";
import { type Peer, listen } from "./tcp.ts";

export interface Introduction {
  version: 1 | 2;
  family: 4 | 6;
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
}

export interface ProxyFront extends Peer {
  readonly heard: Introduction[];
  /** Connections that did not begin with a header. */
  readonly refused: number;
}

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

/** Listens in front of `port`, for one version of the header. */
export async function proxyFront(port: number, version: 1 | 2, host: "127.0.0.1" | "::1" = "127.0.0.1"): Promise<ProxyFront> {
  const heard: Introduction[] = [];
  let refused = 0;
  const peer = await listen((socket) => {
    let buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      const read = version === 1 ? line(buffer) : binary(buffer);
      if (read === "more") return;
      socket.off("data", onData);
      if (read === null) {
        refused += 1;
        socket.destroy();
        return;
      }
      heard.push(read.introduction);
      pipe(socket, port, buffer.subarray(read.length));
    };
    socket.on("data", onData);
  }, 0, host);
  return {
    heard,
    port: peer.port,
    behave: peer.behave,
    close: peer.close,
    get connections() {
      return peer.connections;
    },
    get refused() {
      return refused;
    },
  };
}

function pipe(socket: Socket, port: number, first: Buffer): void {
  const server = connect(port, "127.0.0.1");
  server.on("error", () => socket.destroy());
  server.write(first);
  socket.pipe(server);
  server.pipe(socket);
}

type Read = { introduction: Introduction; length: number } | "more" | null;

function line(buffer: Buffer): Read {
  const end = buffer.indexOf("\r\n");
  if (end < 0) return buffer.length < 107 ? "more" : null;
  const match = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(buffer.toString("latin1", 0, end));
  if (!match) return null;
  const [, family, source = "", destination = "", from, to] = match;
  const isAddress = family === "4" ? isIPv4 : isIPv6;
  if (end + 2 > 107 || !isAddress(source) || !isAddress(destination)) return null;
  const introduction: Introduction = {
    version: 1,
    family: family === "4" ? 4 : 6,
    source,
    sourcePort: Number(from),
    destination,
    destinationPort: Number(to),
  };
  return { introduction, length: end + 2 };
}

function binary(buffer: Buffer): Read {
  if (buffer.length < 16) return SIGNATURE.subarray(0, buffer.length).equals(buffer.subarray(0, 12)) ? "more" : null;
  if (!buffer.subarray(0, 12).equals(SIGNATURE) || buffer[12] !== 0x21) return null;
  const family = buffer[13] === 0x11 ? 4 : buffer[13] === 0x21 ? 6 : null;
  const length = 16 + buffer.readUInt16BE(14);
  if (family === null || length < 16 + (family === 4 ? 12 : 36)) return null;
  if (buffer.length < length) return "more";
  const size = family === 4 ? 4 : 16;
  const text = (at: number) => {
    const bytes = buffer.subarray(at, at + size);
    if (size === 4) return [...bytes].join(".");
    return Array.from({ length: 8 }, (_, n) => bytes.readUInt16BE(2 * n).toString(16)).join(":");
  };
  const introduction: Introduction = {
    version: 2,
    family,
    source: text(16),
    destination: text(16 + size),
    sourcePort: buffer.readUInt16BE(16 + 2 * size),
    destinationPort: buffer.readUInt16BE(18 + 2 * size),
  };
  return { introduction, length };
}
