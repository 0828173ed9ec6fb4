//! What is left to the runtime: bodies pass as native streams and never enter this worker's memory.
//!
//! In JavaScript, since one call costs less than a call for each header, and since `worker`'s own
//! `Request` and `Response` bring tens of kilobytes of settings that are not used here. Lists
//! of headers travel as one string: names and values, each on a line of its own, which no header can
//! contain.

use js_sys::Array;
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::web_sys;

#[wasm_bindgen(inline_js = r#"
function* lines(text) {
  const all = text === "" ? [] : text.split("\n");
  for (let at = 0; at + 1 < all.length; at += 2) yield [all[at], all[at + 1]];
}

// A body that fits into the buffers on the way is sent at once, whatever the other side does.
const AT_ONCE = 64 * 1024;

// Mostly the same names as those of the request before.
let gone = { key: null, names: null };

// Many an application knows a header by a name in which `-` and `_` are one (RFC 3875, section 4.1.18).
function ends(name) {
  const known = name.includes("_") ? name.replaceAll("_", "-") : name;
  return gone.names.has(known) || known.startsWith("x-forwarded-") || (known !== name && known.startsWith("cf-"));
}

// Pipes a body of unknown length, and is done when it is over. The pipe is only closed after the last
// byte: when the client breaks off it stays open and what it leads to is given up, or half an upload
// would look whole.
async function whole(body, writable, broken) {
  try {
    await body.pipeTo(writable, { preventAbort: true, preventClose: true });
    await writable.close();
  } catch (error) {
    // The other side may as well have had enough: its answer stands.
    if (writable.getWriter().desiredSize !== null) broken.abort(error);
  }
}

export async function send(request, to, url, without, set, milliseconds) {
  const declared = request.headers.get("content-length");
  const length = declared === null ? NaN : Number(declared);
  const takesTime = request.body !== null && !(length <= AT_ONCE);
  let outgoing, sent, signal;
  if (takesTime && request.method !== "GET" && request.method !== "HEAD") {
    // The time starts when the body is over: an upload may take as long as it takes.
    const known = !Number.isNaN(length);
    const pipe = known ? new FixedLengthStream(length) : new IdentityTransformStream();
    if (known) {
      sent = request.body.pipeTo(pipe.writable).catch(() => {});
    } else {
      const broken = new AbortController();
      signal = broken.signal;
      sent = whole(request.body, pipe.writable, broken);
    }
    outgoing = new Request(url, { method: request.method, headers: request.headers, body: pipe.readable, redirect: "manual", cf: request.cf });
  } else {
    outgoing = new Request(url, request);
    // When such a body is over cannot be asked: the time never starts.
    if (takesTime) sent = new Promise(() => {});
  }
  const headers = outgoing.headers;
  if (without !== gone.key) gone = { key: without, names: new Set(without.split("\n")) };
  for (const name of [...headers.keys()]) if (ends(name)) headers.delete(name);
  for (const [name, value] of lines(set)) headers.set(name, value);
  let timer;
  let over = false;
  const late = new Promise((resolve) => {
    const start = () => { if (!over) timer = setTimeout(resolve, milliseconds); };
    if (sent === undefined) start(); else sent.then(start);
  });
  try {
    const answer = to ? to.fetch(outgoing, { signal }) : fetch(outgoing, { redirect: "manual", signal });
    answer.catch(() => {});
    return await Promise.race([answer, late]);
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

export function finish(response, set, missing, cookies) {
  if (response.status === 101) {
    if (cookies === undefined) return response;
    const headers = new Headers(response.headers);
    headers.delete("set-cookie");
    for (const cookie of cookies) headers.append("set-cookie", cookie);
    return new Response(null, { status: 101, headers, webSocket: response.webSocket });
  }
  const finished = new Response(response.body, response);
  const headers = finished.headers;
  for (const name of (headers.get("connection") ?? "").split(",")) {
    const hop = name.trim().toLowerCase();
    if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(hop) && hop !== "close" && hop !== "set-cookie") headers.delete(hop);
  }
  for (const hop of ["connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-connection", "trailer", "upgrade"]) headers.delete(hop);
  for (const [name, value] of lines(set)) headers.set(name, value);
  if (cookies !== undefined) {
    headers.delete("set-cookie");
    for (const cookie of cookies) headers.append("set-cookie", cookie);
  }
  for (const [name, value] of lines(missing)) {
    const framed = () => /(^|[;,\s])frame-ancestors(\s|;|$)/i.test(headers.get("content-security-policy") ?? "");
    if (!headers.has(name) && !(name === "x-frame-options" && framed())) headers.set(name, value);
  }
  return finished;
}

export function cookies(response) {
  return response.headers.getSetCookie();
}

export function answer(body, status, set) {
  const headers = new Headers();
  for (const [name, value] of lines(set)) headers.set(name, value);
  return new Response(body, { status, headers });
}

export async function limit(limiter, key) {
  const { success } = await limiter.limit({ key });
  return success === true;
}

export function dismiss(response) {
  response.body?.cancel().catch(() => {});
}"#)]
extern "C" {
    #[wasm_bindgen(catch, js_name = send)]
    async fn js_send(
        request: &web_sys::Request,
        to: &JsValue,
        url: &str,
        without: &str,
        set: &str,
        milliseconds: u32,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = finish)]
    fn js_finish(
        response: &web_sys::Response,
        set: &str,
        missing: &str,
        cookies: Option<Array>,
    ) -> Result<web_sys::Response, JsValue>;

    #[wasm_bindgen(js_name = cookies)]
    fn js_cookies(response: &web_sys::Response) -> Array;

    #[wasm_bindgen(catch, js_name = answer)]
    fn js_answer(body: Option<&str>, status: u16, set: &str) -> Result<web_sys::Response, JsValue>;

    #[wasm_bindgen(catch, js_name = limit)]
    async fn js_limit(limiter: &JsValue, key: &str) -> Result<JsValue, JsValue>;

    /// Lets go of an answer that is not used: its body would hold on to a connection.
    pub fn dismiss(response: &web_sys::Response);
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The runtime's words.
    Broken(String),
    Late,
}

/// A request as it goes on.
pub struct Onward<'a> {
    pub request: &'a web_sys::Request,
    /// A service binding; `undefined`: the web.
    pub to: &'a JsValue,
    pub url: &'a str,
    /// The headers that it does not take along.
    pub without: &'a [String],
    pub set: &'a Lines,
    /// How long the first byte of the answer may take, from when the body has been sent.
    pub milliseconds: u32,
}

impl Onward<'_> {
    pub async fn send(self) -> Result<web_sys::Response, NoAnswer> {
        let Self {
            request,
            to,
            url,
            without,
            set,
            milliseconds,
        } = self;
        let sent = js_send(request, to, url, &without.join("\n"), &set.0, milliseconds).await;
        match sent {
            Ok(late) if late.is_undefined() => Err(NoAnswer::Late),
            Ok(answer) => answer
                .dyn_into()
                .map_err(|other| NoAnswer::Broken(words(&other))),
            Err(error) => Err(NoAnswer::Broken(words(&error))),
        }
    }
}

/// What a JavaScript error says.
fn words(error: &JsValue) -> String {
    worker::Error::from(error.clone()).to_string()
}

/// Headers on their way to the runtime.
#[derive(Default)]
pub struct Lines(String);

impl Lines {
    /// A header whose value cannot stand in a line is left out; no header that came in has one.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.contains(['\n', '\r', '\0']) {
            return;
        }
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(name);
        self.0.push('\n');
        self.0.push_str(value);
    }
}

/// The same answer, its body passed natively: without hop-by-hop headers, with `set` in place of what
/// it has, `missing` where it has none, and other cookies when there are any. Of a WebSocket's beginning only
/// the cookies change.
pub fn finish(
    response: &web_sys::Response,
    set: &Lines,
    missing: &Lines,
    cookies: Option<&[String]>,
) -> worker::Result<web_sys::Response> {
    let cookies = cookies.map(|cookies| cookies.iter().map(JsValue::from).collect());
    Ok(js_finish(response, &set.0, &missing.0, cookies)?)
}

/// Each `Set-Cookie` of an answer.
pub fn cookies(response: &web_sys::Response) -> Vec<String> {
    js_cookies(response)
        .iter()
        .filter_map(|cookie| cookie.as_string())
        .collect()
}

/// An answer of the gateway itself.
pub fn answer(
    body: Option<&str>,
    status: u16,
    headers: &Lines,
) -> worker::Result<web_sys::Response> {
    Ok(js_answer(body, status, &headers.0)?)
}

/// Counts one request at a rate-limit binding; whether it is within the limit.
pub async fn is_within(limiter: &JsValue, key: &str) -> Result<bool, String> {
    let within = js_limit(limiter, key)
        .await
        .map_err(|error| words(&error))?;
    Ok(within.is_truthy())
}
