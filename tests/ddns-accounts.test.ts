// What hosts with the same credentials have in common: an account of MyDNS has one address a family, and a token of
// Cloudflare is blocked for all its hosts.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { limited } from "./support/cloudflare.ts";
import { type Ddns, MID, MYDNS, ZONE, ddns } from "./support/ddns.ts";

const [A, B] = ["a.example.com", "b.example.com"];
const [ZONE_A, ZONE_B] = ["za.example.com", "zb.example.com"];
const HOSTS = [
  { host: A, providers: [MYDNS] },
  { host: B, providers: [MYDNS] },
  { host: ZONE_A, providers: [ZONE] },
  { host: ZONE_B, providers: [ZONE] },
  { host: "none.example.com", providers: [{ ...MYDNS, credentials: "nowhere" }] },
];

let d: Ddns;
before(async () => {
  d = await ddns({ hosts: HOSTS });
});
beforeEach(() => d.reset());
after(() => d?.close());

const dry = async (body: object) => (await d.post("/api/ddns/report", { dry_run: true, ...body })).body.hosts[0];
const state = async (name: string) => (await d.read("/api/ddns/hosts")).hosts.find((one: any) => one.host === name).providers[0];
/** All that was reported until now was a minute ago. */
const aMinuteLater = () => d.db.prepare("UPDATE hosts SET updated_at = strftime('%Y-%m-%dT%H:%M:%SZ', updated_at, '-1 minute')").run();

describe("an account of MyDNS", () => {
  test("has the address of the host that changed last, and no other host is told nochg of it", async () => {
    assert.deepEqual(await d.update(`hostname=${A}&myip=8.8.8.8`), [200, "good 8.8.8.8"]);
    await aMinuteLater();
    assert.deepEqual(await d.update(`hostname=${B}&myip=8.8.4.4`), [200, "good 8.8.4.4"]);
    const foreseen = await dry({ hostnames: [A], ipv4: "8.8.8.8" });
    assert.deepEqual([foreseen.result, foreseen.providers[0].result], ["911", "refused"]);
    const notices = d.mydns.notices.length;
    assert.deepEqual(await d.update(`hostname=${A}&myip=8.8.8.8`), [503, "911"]);
    assert.equal(d.mydns.notices.length, notices);
    assert.equal(d.mydns.has(MID)?.ipv4, "8.8.4.4");
    assert.match((await state(A)).error, /^b\.example\.com has got another address since/);
    assert.deepEqual(await d.update(`hostname=${B}&myip=8.8.4.4`), [200, "nochg 8.8.4.4"]);
    await aMinuteLater();
    assert.deepEqual(await d.update(`hostname=${A}&myip=8.8.4.4`), [200, "good 8.8.4.4"]);
    assert.deepEqual(await d.update(`hostname=${A},${B}&myip=8.8.4.4`), [200, "nochg 8.8.4.4", "nochg 8.8.4.4"]);
  });

  test("keeps each family of the host that has it", async () => {
    assert.deepEqual(await d.update(`hostname=${A}&myip=8.8.8.8`), [200, "good 8.8.8.8"]);
    assert.deepEqual(await d.update(`hostname=${B}&myipv6=2001:4860:4860::8888`), [200, "good 2001:4860:4860::8888"]);
    assert.deepEqual(await d.update(`hostname=${A}&myip=8.8.8.8`), [200, "nochg 8.8.8.8"]);
    assert.deepEqual(d.mydns.has(MID), { ipv4: "8.8.8.8", ipv6: "2001:4860:4860::8888" });
  });

  test("is told for one host at a time, and has what the book has in the end", async () => {
    const addresses = Array.from({ length: 6 }, (_, n) => `8.8.8.${n + 1}`);
    await Promise.all(addresses.map((address, n) => d.update(`hostname=${n % 2 ? A : B}&myip=${address}`)));
    await d.cron(120);
    const lines = await d.rows("SELECT host, ipv4, updated_at FROM hosts ORDER BY updated_at DESC, host");
    assert.equal(d.mydns.has(MID)?.ipv4, lines[0].ipv4);
    for (const { host, ipv4 } of await d.rows("SELECT host, ipv4 FROM provider_states")) {
      assert.ok(ipv4 === null || ipv4 === lines[0].ipv4, `${host} ${ipv4}`);
    }
  });
});

describe("a token of Cloudflare", () => {
  test("that is blocked is left alone by all its hosts", async () => {
    await d.update(`hostname=${ZONE_A},${ZONE_B}&myip=8.8.8.8`);
    d.cloudflare.behave(limited(600));
    assert.deepEqual(await d.update(`hostname=${ZONE_A}&myip=8.8.4.4`), [503, "911"]);
    const asked = d.cloudflare.asked.length;
    assert.equal((await dry({ hostnames: [ZONE_B], ipv4: "8.8.4.4" })).providers[0].result, "waiting");
    assert.deepEqual(await d.update(`hostname=${ZONE_B}&myip=8.8.4.4`), [503, "911"]);
    await d.cron(300);
    assert.equal(d.cloudflare.asked.length, asked, "nobody asks before the time is over");
    assert.equal((await state(ZONE_B)).state, "pending");
    d.cloudflare.behave(null);
    await d.cron(660);
    assert.deepEqual([d.cloudflare.contents(ZONE_A), d.cloudflare.contents(ZONE_B)], [["8.8.4.4"], ["8.8.4.4"]]);
  });
});

describe("a dry run", () => {
  test("does not promise what is known to fail", async () => {
    const { result, providers } = await dry({ hostnames: ["none.example.com"], ipv4: "8.8.8.8" });
    assert.deepEqual([result, providers[0].result], ["911", "refused"]);
    assert.match(providers[0].detail, /^credentials "nowhere": the secret PROVIDERS has no such key/);
    assert.deepEqual(await d.update("hostname=none.example.com&myip=8.8.8.8"), [503, "911"]);
  });
});
