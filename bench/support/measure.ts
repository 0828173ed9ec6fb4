// Clients and figures, the same for every side of a comparison.
import http from "node:http";

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export type Answer = { status: number; body: Buffer; ms: number };

/** One request on a connection of its own; no `Expect`, which costs a second in some runtimes. */
export function request(url: URL, method: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    const sent = http.request(url, { method, headers: { ...headers, ...length } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks), ms: performance.now() - started }),
      );
      answer.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Reads an answer to its end and keeps none of it. */
export function drain(url: URL, headers: Record<string, string> = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = http.get(url, { agent: false, headers }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode}`));
      answer.on("end", resolve).on("error", reject).resume();
    });
    sent.on("error", reject);
  });
}

/** Requests a second over some kept-open connections, for a bounded time. */
export async function load(url: URL, seconds: number, connections = 8): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const until = performance.now() + seconds * 1000;
  let answered = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const sent = http.get(url, { agent }, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode}`));
        answer.on("end", resolve).resume();
      });
      sent.on("error", reject);
    });
  const worker = async () => {
    while (performance.now() < until) {
      await one();
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return answered / seconds;
}

/** Sends a body of zeros, of which no more is in memory than a piece. */
export function send(url: URL, headers: Record<string, string>, length: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method: "PUT", agent: false, headers: { ...headers, "content-length": String(length) } }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode}`));
      answer.on("end", resolve).on("error", reject).resume();
    });
    sent.on("error", reject);
    const piece = Buffer.alloc(1 << 16);
    let left = length;
    const more = () => {
      while (left > 0) {
        const part = piece.subarray(0, Math.min(left, piece.length));
        left -= part.length;
        if (!sent.write(part)) return void sent.once("drain", more);
      }
      sent.end();
    };
    more();
  });
}

export type Timed = { rate: number; count: number; p50: number; p99: number };

/** The same as [`load`], with how long the requests took, in milliseconds; each answer must have this length. */
export async function timedLoad(url: URL, headers: Record<string, string>, seconds: number, length: number, connections = 8): Promise<Timed> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const started = performance.now();
  const until = started + seconds * 1000;
  const times: number[] = [];
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const sent = http.get(url, { agent, headers }, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode}`));
        let got = 0;
        answer.on("data", (chunk: Buffer) => (got += chunk.length));
        answer.on("end", () => {
          times.push(performance.now() - began);
          if (got === length) resolve();
          else reject(new Error(`${url} answered ${got} bytes`));
        });
      });
      sent.on("error", reject);
    });
  const worker = async () => {
    while (performance.now() < until) await one();
  };
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  return { rate: (times.length * 1000) / (performance.now() - started), count: times.length, p50: at(0.5), p99: at(0.99) };
}
