// MyDNS.jp's `directip.html` as far as it is known from outside: a page whatever happened, 200 whether
// the password is right or not, and an address that is kept until it is told another one.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv4, isIPv6 } from "node:net";

export interface Notice {
  /** `POST /directip.html`: with the query, where a password must not be. */
  request: string;
  id: string;
  /** What the notice says; `null` when it does not name the family, `""` when it blanks it. */
  ipv4: string | null;
  ipv6: string | null;
  /** Whether the account has these addresses since. */
  taken: boolean;
}

/** Does with a request what it wants to. */
export type Behaviour = (response: ServerResponse, id: string) => void;

export interface MydnsPeer {
  readonly url: string;
  readonly notices: Notice[];
  /** What the account has: at most one address a family. */
  has(id: string): { ipv4: string | null; ipv6: string | null } | undefined;
  /** Does this with every request instead, until told otherwise. */
  behave(behaviour: Behaviour | null): void;
  close(): Promise<void>;
}

const page = (body: string) =>
  `<!DOCTYPE HTML>\n<HTML>\n<HEAD><TITLE>MyDNS.JP</TITLE>\n<META HTTP-EQUIV="Content-Type" content="text/html; charset=utf-8"></HEAD>\n<BODY BGCOLOR="#FFFFFF">\n${body}\n</BODY>\n</HTML>\n`;

const html = (status: number, body: string): Behaviour => (response) =>
  void response.writeHead(status, { "Content-Type": "text/html; charset=utf-8" }).end(page(body));

/** It works, and says nothing of the notice. */
export const maintenance = html(200, "Sorry, the service is under maintenance.<BR>IP address notify is not OK at the moment.");
export const empty: Behaviour = (response) => void response.writeHead(200).end();
export const broken = html(503, "Service Temporarily Unavailable");
/** The connection stays open and nothing comes. */
export const hang: Behaviour = () => {};
/** The headers, and the beginning of a page that would say yes. */
export const cutOff: Behaviour = (response) => {
  response.writeHead(200, { "Content-Type": "text/html", "Content-Length": 5000 });
  response.write("<HTML>\nLogin and IP address notify OK.<BR>\nlogin_status = 1.<BR>\n", () => response.destroy());
};

/** Listens on 127.0.0.1; knows these accounts: password by id. */
export async function mydns(accounts: Record<string, string>): Promise<MydnsPeer> {
  const notices: Notice[] = [];
  const kept = new Map<string, { ipv4: string | null; ipv6: string | null }>();
  for (const id of Object.keys(accounts)) kept.set(id, { ipv4: null, ipv6: null });
  let behaviour: Behaviour | null = null;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "", "http://mydns.test");
    if (url.pathname !== "/directip.html") return void response.writeHead(404).end();
    const form = new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
    const field = (name: string) => form.get(name) ?? url.searchParams.get(name);
    const id = field("MID") ?? "";
    const [ipv4, ipv6] = [field("IPV4ADDR"), field("IPV6ADDR")];
    const account = kept.get(id);
    const sound = (ipv4 === null || ipv4 === "" || isIPv4(ipv4)) && (ipv6 === null || ipv6 === "" || isIPv6(ipv6));
    const taken = behaviour === null && account !== undefined && accounts[id] === field("PWD") && sound;
    notices.push({ request: `${request.method} ${request.url}`, id, ipv4, ipv6, taken });
    if (behaviour) behaviour(response, id);
    else if (taken) {
      if (ipv4 !== null) account.ipv4 = ipv4;
      if (ipv6 !== null) account.ipv6 = ipv6;
      html(200, `MASTERID :  ${id}<BR>\nLogin and IP address notify OK.<BR>\nlogin_status = 1.<BR>`)(response, id);
    } else html(200, `MASTERID :  ${id}<BR>\nPASSWORD :  ${field("PWD")}<BR>\nlogin_status = 0.<BR>`)(response, id);
  };
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/directip.html`,
    notices,
    has: (id) => kept.get(id),
    behave: (next) => void (behaviour = next),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
