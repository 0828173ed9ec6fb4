//! One request to another server: a small text out, a bounded text back, everything within a time.
//!
//! In JavaScript, since `worker::Request` brings 20 KB of settings that are not used here, and so
//! that a body is never half read: it is read to its end or to the limit, or cancelled.
//!
//! The network is asked, never a cache before it: whoever checks, or asks a provider or a name server,
//! is to hear how it is now.

use std::fmt;

use js_sys::{Array, JsString};
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use worker::url::form_urlencoded;

use crate::stream::words;

#[wasm_bindgen(inline_js = "
export async function exchange(service, method, url, pairs, body, milliseconds, limit, follow, wanted) {
  const controller = new AbortController();
  const begun = Date.now();
  let [late, failure, timer] = [false, 'invalid'];
  const out = { headers: [], text: '', cut: false };
  try {
    const headers = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) headers.push([pairs[i], pairs[i + 1]]);
    // Between workers there is no cache.
    const fresh = service ? {} : { cache: 'no-store' };
    const request = new Request(url, { method, headers, body, redirect: 'manual', signal: controller.signal, ...fresh });
    failure = 'connection';
    const over = new Promise((_, reject) => {
      timer = setTimeout(() => reject(late = true), milliseconds);
    });
    const work = async () => {
      const response = await (service ?? globalThis).fetch(request);
      failure = 'broken';
      out.status = response.status;
      out.headersMs = Date.now() - begun;
      if (wanted) for (const pair of response.headers) out.headers.push(...pair);
      if (follow && [301, 302, 303, 307, 308].includes(out.status)) {
        const moved = response.headers.get('location');
        if (moved !== null && URL.canParse(moved, url)) out.location = new URL(moved, url).href;
      }
      if (limit === 0 || out.location) {
        out.cut = response.body !== null;
        await response.body?.cancel();
        out.totalMs = Date.now() - begun;
        return;
      }
      const decoder = new TextDecoder();
      let room = limit;
      // Leaving the loop early cancels the body.
      for await (const chunk of response.body ?? []) {
        const part = chunk.subarray(0, room);
        room -= part.byteLength;
        out.text += decoder.decode(part, { stream: true });
        out.cut = part.byteLength < chunk.byteLength;
        if (out.cut) break;
      }
      out.text += decoder.decode();
      out.totalMs = Date.now() - begun;
    };
    await Promise.race([work(), over]);
    return out;
  } catch (error) {
    // It holds one of six connections until it is let go of.
    controller.abort();
    throw [late ? 'late' : failure, String(error?.message ?? error)];
  } finally {
    clearTimeout(timer);
  }
}")]
extern "C" {
    type Exchanged;
    #[wasm_bindgen(catch)]
    async fn exchange(
        service: &JsValue,
        method: &str,
        url: &str,
        pairs: Array,
        body: Option<&str>,
        milliseconds: u32,
        limit: u32,
        follow: bool,
        wanted: bool,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Exchanged) -> u16;
    #[wasm_bindgen(method, getter)]
    fn headers(this: &Exchanged) -> Array;
    #[wasm_bindgen(method, getter)]
    fn location(this: &Exchanged) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn text(this: &Exchanged) -> String;
    #[wasm_bindgen(method, getter)]
    fn cut(this: &Exchanged) -> bool;
    #[wasm_bindgen(method, getter, js_name = headersMs)]
    fn headers_ms(this: &Exchanged) -> u32;
    #[wasm_bindgen(method, getter, js_name = totalMs)]
    fn total_ms(this: &Exchanged) -> u32;
}

/// What to do with an answer that points elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// Whoever asks goes on to [`Answer::location`]; the body is not read. Each step is a request of
    /// its own, of which the platform allows so many.
    Follow,
    /// It is the answer. What carries a secret says this: the secret is for one address only.
    Manual,
}

/// A request. It has no `Debug`: its URL, headers and body may hold secrets.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    /// `None` with a GET or HEAD.
    pub body: Option<&'a str>,
    /// For all of it, from the connection to the last byte.
    pub timeout_ms: u32,
    /// How many bytes of the body are read; the rest is cancelled.
    pub limit: u32,
    /// Whether the answer's headers are read: who makes many requests and looks at no header need
    /// not take each of them out of the runtime.
    pub reads_headers: bool,
    pub redirect: Redirect,
}

impl<'a> Request<'a> {
    /// A GET without headers that follows nothing: 10 seconds, 64 KiB.
    pub const fn get(url: &'a str) -> Self {
        Self {
            method: "GET",
            url,
            headers: &[],
            body: None,
            timeout_ms: 10_000,
            limit: 64 * 1024,
            reads_headers: true,
            redirect: Redirect::Manual,
        }
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Where they are read, as the runtime gives them: names in lower case, those of one name
    /// joined (`set-cookie` excepted).
    pub headers: Vec<(String, String)>,
    /// The whole URL that it points to, when it is a redirect and [`Redirect::Follow`] asks for that.
    pub location: Option<String>,
    /// What is no UTF-8 is U+FFFD; a byte order mark is left out.
    pub text: String,
    /// Whether the body is longer than the limit; `text` is its beginning then. With a limit of 0:
    /// whether there is a body, which may be empty.
    pub cut: bool,
    /// From the start to the headers, in milliseconds.
    pub headers_ms: u32,
    /// From the start to the last byte that was read.
    pub total_ms: u32,
}

impl Answer {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// Why nothing, or not all of it, came back. The texts are the runtime's and name no secret but,
/// perhaps, the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// Nothing or not everything came within this many milliseconds.
    Timeout(u32),
    /// No answer: an unknown name, a closed port, a certificate, a connection that broke. The
    /// runtime hardly tells them apart.
    Connection(String),
    /// The answer began and did not end.
    Broken(String),
    /// There is no such request: the URL, the method or a header is malformed.
    Invalid(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(milliseconds) => write!(f, "no answer within {milliseconds} ms"),
            Self::Connection(words) => write!(f, "no connection: {words}"),
            Self::Broken(words) => write!(f, "the answer broke off: {words}"),
            Self::Invalid(words) => write!(f, "not a request: {words}"),
        }
    }
}

/// Sends a request and reads its answer.
pub async fn send(request: Request<'_>) -> Result<Answer, FetchError> {
    send_to(&JsValue::UNDEFINED, request).await
}

/// The same to the worker behind a service binding, whatever the host of the URL; to the network, if
/// that is undefined.
pub async fn send_to(service: &JsValue, request: Request<'_>) -> Result<Answer, FetchError> {
    let pairs = Array::new();
    for (name, value) in request.headers {
        pairs.push(&JsValue::from_str(name));
        pairs.push(&JsValue::from_str(value));
    }
    let exchanged = exchange(
        service,
        request.method,
        request.url,
        pairs,
        request.body,
        request.timeout_ms,
        request.limit,
        request.redirect == Redirect::Follow,
        request.reads_headers,
    )
    .await
    .map_err(|error| failure(&error, request.timeout_ms))?
    .unchecked_into::<Exchanged>();
    let texts: Vec<String> = exchanged
        .headers()
        .iter()
        .map(|text| string(&text))
        .collect();
    let pair = |pair: &[String]| Some((pair.first()?.clone(), pair.get(1)?.clone()));
    Ok(Answer {
        status: exchanged.status(),
        headers: texts.chunks(2).filter_map(pair).collect(),
        location: exchanged.location(),
        text: exchanged.text(),
        cut: exchanged.cut(),
        headers_ms: exchanged.headers_ms(),
        total_ms: exchanged.total_ms(),
    })
}

/// A body of `application/x-www-form-urlencoded`, as a form posts it.
pub fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn failure(error: &JsValue, timeout_ms: u32) -> FetchError {
    let Some(pair) = error.dyn_ref::<Array>() else {
        return FetchError::Connection(words(error));
    };
    let text = string(&pair.get(1));
    match string(&pair.get(0)).as_str() {
        "late" => FetchError::Timeout(timeout_ms),
        "broken" => FetchError::Broken(text),
        "invalid" => FetchError::Invalid(text),
        _ => FetchError::Connection(text),
    }
}

fn string(value: &JsValue) -> String {
    value
        .dyn_ref::<JsString>()
        .map(String::from)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case() {
        let answer = Answer {
            status: 204,
            headers: vec![("retry-after".to_owned(), "7".to_owned())],
            ..Answer::default()
        };
        assert_eq!(answer.header("Retry-After"), Some("7"));
        assert_eq!(answer.header("retry"), None);
        assert!(answer.is_success());
    }

    #[test]
    fn a_form_is_escaped() {
        let fields = [
            ("MID", "a&b"),
            ("PWD", "p+ ä=%"),
            ("IPV6ADDR", "2001:200::1"),
        ];
        assert_eq!(
            form(&fields),
            "MID=a%26b&PWD=p%2B+%C3%A4%3D%25&IPV6ADDR=2001%3A200%3A%3A1"
        );
    }
}
