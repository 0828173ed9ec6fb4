// TCP servers that behave, and misbehave, as a Minecraft server's port may. All of them listen on
// 127.0.0.1, unless told to on ::1; what they do on a connection can be changed while they listen.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, type Socket, createServer } from "node:net";

/** What a peer does with a connection. */
export type Behaviour = (socket: Socket) => void;

export interface Peer {
  readonly port: number;
  /** How many connections were ever accepted. */
  readonly connections: number;
  /** From the next connection on. */
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

/** Listens; port 0 takes a free one. */
export async function listen(behaviour: Behaviour, port = 0, host: "127.0.0.1" | "::1" = "127.0.0.1"): Promise<Peer> {
  const open = new Set<Socket>();
  let connections = 0;
  let current = behaviour;
  const server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {}); // a client that breaks off is no event here
    current(socket);
    socket.resume();
  });
  server.listen(port, host);
  await once(server, "listening");
  const { port: bound } = server.address() as AddressInfo;
  return {
    port: bound,
    get connections() {
      return connections;
    },
    behave(next) {
      current = next;
    },
    async close() {
      for (const socket of open) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function closedPort(): Promise<number> {
  const peer = await listen(silent);
  await peer.close();
  return peer.port;
}

// Frames: a VarInt of the length, then the packet's number and its fields.

export function varint(value: number): Buffer {
  const bytes = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return Buffer.from(bytes);
}

export function frame(packet: number, body: Buffer): Buffer {
  const inside = Buffer.concat([varint(packet), body]);
  return Buffer.concat([varint(inside.length), inside]);
}

/** The status response with this text as its JSON. */
export function statusFrame(json: string): Buffer {
  const text = Buffer.from(json);
  return frame(0, Buffer.concat([varint(text.length), text]));
}

/** A status response as it was on the wire. */
export const CAPTURED = readFileSync(
  new URL("../../fixtures/ping/status-response.bin", import.meta.url),
);

/** Calls back for each whole frame that a client sends, with its packet number and its fields. */
function onFrame(socket: Socket, callback: (packet: number, body: Buffer) => void): void {
  let buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const length = buffer[0];
      // What a client of the status protocol sends is short: its length is one byte.
      if (length === undefined || length > 0x7f || buffer.length < 1 + length) return;
      const inside = buffer.subarray(1, 1 + length);
      buffer = buffer.subarray(1 + length);
      callback(inside[0] ?? -1, inside.subarray(1));
    }
  });
}

export interface StatusServer {
  /** The frame of the status response. */
  status?: Buffer;
  /** "echo" is what a server should answer a ping with. */
  pong?: "echo" | "wrong" | "none" | "close";
  /** Sends one byte at a time. */
  byteByByte?: boolean;
  /** Waits before the status. */
  delayMs?: number;
}

/** A server that speaks the protocol, right but for what is asked otherwise. */
export function statusServer(options: StatusServer = {}): Behaviour {
  const { status = CAPTURED, pong = "echo", byteByByte = false, delayMs = 0 } = options;
  return (socket) => {
    socket.setNoDelay(true);
    const send = async (bytes: Buffer) => {
      if (!byteByByte) return void socket.write(bytes);
      for (const byte of bytes) {
        if (socket.destroyed) return;
        socket.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
    };
    let shaken = false;
    onFrame(socket, (packet, body) => {
      if (packet === 1) {
        if (pong === "echo") void send(frame(1, body)).then(() => socket.end());
        if (pong === "wrong") void send(frame(1, Buffer.from(body.map((byte) => byte ^ 0xff))));
        if (pong === "close") socket.end();
      } else if (shaken) {
        setTimeout(() => void send(status), delayMs);
      } else {
        shaken = true; // the handshake; next comes the request
      }
    });
  };
}

/** Takes all and says nothing. */
export const silent: Behaviour = () => {};

/** Closes as soon as it has accepted. */
export const closesAtOnce: Behaviour = (socket) => {
  socket.end();
};

/** Sends this once the client has said something, and leaves the connection open. */
export function sends(bytes: Buffer): Behaviour {
  return (socket) => {
    socket.once("data", () => socket.write(bytes));
  };
}

/** Sends this once the client has said something, and closes. */
export function sendsAndCloses(bytes: Buffer): Behaviour {
  return (socket) => {
    socket.once("data", () => socket.end(bytes));
  };
}

/**
 * Claims a status of so many bytes, which is a legal length, and sends the base64 of its favicon without end: as fast as it is
 * read, or a piece in each `everyMs`. `sent` hears of each piece that left.
 */
export function endlessFavicon(length: number, sent: (bytes: number) => void, everyMs = 0): Behaviour {
  const text = Buffer.concat([varint(0), varint(length), Buffer.from('{"favicon":"data:image/png;base64,')]);
  const piece = Buffer.alloc(everyMs > 0 ? 64 : 64 * 1024, "A");
  return (socket) => {
    socket.once("data", async () => {
      socket.write(Buffer.concat([varint(varint(0).length + varint(length).length + length), text]));
      while (!socket.destroyed) {
        const taken = socket.write(piece, () => sent(piece.length));
        if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
        else if (!taken) await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => {});
      }
    });
  };
}

/** No VarInt begins like this: it would be longer than five bytes. */
export const NO_FRAME = Buffer.from("ffffffffffffffff00c0ffee", "hex");
/** A frame of 2 GiB less one byte. */
export const TWO_GIB = Buffer.concat([varint(0x7fffffff), Buffer.alloc(64)]);
/** A frame of -1 bytes. */
export const NEGATIVE = Buffer.concat([varint(-1), Buffer.alloc(64)]);
/** What a web server says to a handshake. */
export const HTTP = Buffer.from(
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request\n".repeat(4),
);
