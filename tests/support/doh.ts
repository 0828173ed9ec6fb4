// A server for DNS-over-HTTPS in JSON that answers as a public resolver does, and counts.

import { once } from "node:events";
import { type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

const TYPES: Record<string, number> = { A: 1, SRV: 33, AAAA: 28 };

/** One record: its data as in a zone file, and how long it holds. */
export interface RecordData {
  data: string;
  ttl?: number;
}

export interface DohPeer {
  readonly url: string;
  /** `SRV _minecraft._tcp.mc.example.test`, in the order in which it was asked. */
  readonly asked: string[];
  /** How many requests were under way at most. */
  readonly mostAtOnce: number;
  /** What a question gets; an empty list is a name without such records, `null` a name that does not exist. */
  answer(question: string, records: RecordData[] | null): void;
  /** Does this with every question instead, until told otherwise. */
  behave(behaviour: ((response: ServerResponse) => void) | null): void;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1; whatever it was not told of does not exist. */
export async function doh(): Promise<DohPeer> {
  const answers = new Map<string, RecordData[] | null>();
  const asked: string[] = [];
  let behaviour: ((response: ServerResponse) => void) | null = null;
  let [now, most] = [0, 0];
  const server = createServer((request, response) => {
    now += 1;
    most = Math.max(most, now);
    // As soon as it is on its way: the next question may come before this one counts as closed.
    let over = false;
    const done = () => {
      if (!over) now -= 1;
      over = true;
    };
    response.on("finish", done).on("close", done);
    const query = new URL(request.url ?? "", "http://doh.test").searchParams;
    const [name, type] = [query.get("name") ?? "", query.get("type") ?? ""];
    asked.push(`${type} ${name}`);
    if (behaviour) return behaviour(response);
    if (request.headers.accept !== "application/dns-json") return void response.writeHead(406).end();
    const records = answers.get(`${type} ${name}`) ?? null;
    const soa = { name: "example.test", type: 6, TTL: 900, data: "ns.example.test. root.example.test. 1 10000 2400 604800 900" };
    const body = {
      Status: records === null ? 3 : 0,
      TC: false,
      RD: true,
      RA: true,
      AD: false,
      CD: false,
      Question: [{ name, type: TYPES[type] }],
      ...(records?.length
        ? { Answer: records.map(({ data, ttl = 300 }) => ({ name, type: TYPES[type], TTL: ttl, data })) }
        : { Authority: [soa] }),
    };
    response.setHeader("content-type", "application/dns-json");
    response.end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/dns-query`,
    asked,
    get mostAtOnce() {
      return most;
    },
    answer: (question, records) => void answers.set(question, records),
    behave: (next) => (behaviour = next),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
