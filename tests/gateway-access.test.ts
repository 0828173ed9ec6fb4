// Cloudflare Access before an origin: the service token goes there and nowhere else, and the session that it
// earns stays with the gateway.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Gateway, received, run } from "./support/gateway.ts";
import { type RequestOptions } from "./support/harness.ts";
import { type OriginServer, originServer } from "./support/origin.ts";

let origin: OriginServer;
let gateway: Gateway;
before(async () => {
  origin = await originServer();
  gateway = await run({
    vars: {
      routes: [
        { path: "/", origin: origin.url },
        { path: "/access", origin: origin.url, access: true },
        { path: "/guarded/", origin: origin.url, strip_prefix: true, access: true },
      ],
    },
    secrets: { ACCESS_CLIENT_ID: "id.access", ACCESS_CLIENT_SECRET: "a-secret-value" },
  });
});
after(async () => {
  await gateway?.stop();
  await origin?.close();
});

const told = (path: string, options?: RequestOptions) => received(gateway, path, options);

test("the service token goes where the route asks for it, and nowhere else", async () => {
  const { headers } = await told("/access");
  assert.equal(headers["cf-access-client-id"], "id.access");
  assert.equal(headers["cf-access-client-secret"], "a-secret-value");
  assert.equal((await told("/x")).headers["cf-access-client-id"], undefined);
  assert.doesNotMatch(gateway.log.join("\n"), /a-secret-value/);
});

test("nothing of a client's session goes along where the service token is sent", async () => {
  const own = {
    Cookie: 'a=1; CF_Authorization=theirs;CF_AppSession="theirs", cf_binding=theirs; b=2, 3; CF_Authorization',
    "CF-Access-Token": "theirs",
    "CF-Access-Jwt-Assertion": "theirs",
    "CF-Access-Authenticated-User-Email": "theirs",
  };
  for (const path of ["/access", "/guarded/x"]) {
    const { headers } = await told(path, { headers: own });
    assert.doesNotMatch(JSON.stringify(headers), /theirs/, path);
    assert.equal(headers.cookie, "a=1; b=2, 3", path);
    const nothing = await told(path, { headers: { Cookie: "CF_Authorization=theirs" } });
    assert.equal(nothing.headers.cookie, undefined, path);
    const other = await told(path, { headers: { Cookie: "a=CF_Authorization=x; CF_Authorization2=y" } });
    assert.equal(other.headers.cookie, "a=CF_Authorization=x; CF_Authorization2=y", path);
  }
  // Where it is not sent, the public name may itself be behind Access, and the origin checks who comes.
  const { headers } = await told("/x", { headers: own });
  assert.deepEqual([headers.cookie, headers["cf-access-jwt-assertion"]], [own.Cookie, "theirs"]);
});

test("the session that the service token earns is kept from the visitor", async () => {
  const session = ["CF_Authorization=jwt; Path=/; Secure; HttpOnly", "CF_AppSession=x; Path=/", "CF_Binding=y; Path=/", "cf_authorization=z"];
  const cookies = ["a=1; Path=/", ...session, "CF_Authorization2=b"];
  const query = (all: string[]) => all.map((cookie) => `cookie=${encodeURIComponent(cookie)}`).join("&");
  for (const [path, kept] of [
    ["/access/headers", "a=1; Path=/"],
    ["/guarded/headers", "a=1; Path=/guarded"],
  ] as const) {
    const answer = await gateway.request(`${path}?${query(cookies)}`);
    assert.deepEqual(answer.headers["set-cookie"], [kept, "CF_Authorization2=b"], path);
    const nothing = await gateway.request(`${path}?${query(session)}`);
    assert.deepEqual([nothing.status, nothing.headers["set-cookie"]], [200, undefined], path);
    const refused = await gateway.request(`${path}?status=403&${query(session)}`);
    assert.deepEqual([refused.status, refused.headers["set-cookie"]], [403, undefined], path);
  }
  // An origin whose visitors sign in there themselves.
  assert.deepEqual((await gateway.request(`/headers?${query(session)}`)).headers["set-cookie"], session);
});
