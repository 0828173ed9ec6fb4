//! Bodies as native streams: the bytes stay with the runtime and never enter this worker's memory.

mod delimited;

use js_sys::{Object, futures::JsFuture};
use types::Sha1;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    Response, ResponseBody,
    crypto::{DigestStream, DigestStreamAlgorithm},
    web_sys::{ReadableStream, WritableStream},
};

use crate::Failure;

pub use delimited::{AFTER, Delimited, Front, Part};

/// Bytes that are in flight between a body and where it goes, at most.
const CHUNK: u32 = 256 * 1024;

#[wasm_bindgen]
extern "C" {
    /// An identity transform that knows its length, as R2 asks for.
    #[wasm_bindgen(js_name = FixedLengthStream)]
    pub(crate) type FixedLengthStream;
    #[wasm_bindgen(constructor, catch, js_class = "FixedLengthStream")]
    pub(crate) fn new(length: f64) -> Result<FixedLengthStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn readable(this: &FixedLengthStream) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn writable(this: &FixedLengthStream) -> WritableStream;
}

// The loop over the chunks is JavaScript: driven from Rust, each chunk stays reachable through the
// futures that wait on it, and an upload of 10 MB peaks 28 MiB higher (`cargo xtask bench pack`).
#[wasm_bindgen(inline_js = r#"
export async function pump(body, to, hash, size) {
  const source = body.getReader({ mode: "byob" });
  const sinks = [to.getWriter(), hash.getWriter()];
  try {
    let buffer = new Uint8Array(size);
    for (;;) {
      const { value, done } = await source.readAtLeast(size, buffer);
      if (value?.byteLength) {
        await Promise.all(sinks.map((sink) => sink.write(value)));
        buffer = new Uint8Array(value.buffer);
      }
      if (done) break;
    }
    await Promise.all(sinks.map((sink) => sink.close()));
  } catch (error) {
    // Whoever waits at the other ends must learn of it; that some have gone already is fine.
    await Promise.allSettled([...sinks.map((sink) => sink.abort(error)), source.cancel(error)]);
    throw error;
  }
}"#)]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn pump(
        body: &ReadableStream,
        to: &WritableStream,
        hash: &WritableStream,
        size: u32,
    ) -> Result<JsValue, JsValue>;
}

/// A body that is hashed while it is read.
pub struct Hashing {
    /// What to store: the same bytes, of known length.
    pub readable: ReadableStream,
    body: ReadableStream,
    pipe: FixedLengthStream,
}

/// Splits `body`, of exactly `length` bytes, into a stream to store and its SHA-1.
///
/// One buffer goes round: it is filled from the body, then written to both sides, and filled again
/// when both have taken it. So the slower side sets the pace and nothing piles up, as it would
/// behind `tee`.
pub fn hashing(body: ReadableStream, length: u32) -> Result<Hashing, Failure> {
    let pipe = FixedLengthStream::new(f64::from(length)).map_err(|error| js(&error))?;
    Ok(Hashing {
        readable: pipe.readable(),
        body,
        pipe,
    })
}

impl Hashing {
    /// Moves the bytes; to be awaited together with the reading of `readable`.
    pub async fn sha1(self) -> Result<Sha1, Failure> {
        let hasher = DigestStream::new(DigestStreamAlgorithm::Sha1);
        let hash = hasher.raw().unchecked_ref();
        let moved = pump(&self.body, &self.pipe.writable(), hash, CHUNK).await;
        moved.map_err(|error| js(&error))?;
        digest(&hasher).await
    }
}

/// Lets go of an answer that is not used: its body would hold on to a connection.
pub async fn dismiss(response: Response) {
    if let ResponseBody::Stream(body) = response.body() {
        // That it cannot be cancelled only means that it is over already.
        let _ = JsFuture::from(body.cancel()).await;
    }
}

pub(crate) async fn digest(hasher: &DigestStream) -> Result<Sha1, Failure> {
    let digest = hasher.digest().await?.to_vec();
    Sha1::try_from(digest.as_slice()).map_err(|error| Failure::internal(error.to_string()))
}

pub(crate) fn js(error: &JsValue) -> Failure {
    Failure::internal(words(error))
}

/// What a JavaScript error says.
pub(crate) fn words(error: &JsValue) -> String {
    let text = error
        .dyn_ref::<Object>()
        .map(|object| String::from(object.to_string()))
        .or_else(|| error.as_string());
    text.unwrap_or_else(|| "unknown JavaScript error".to_owned())
}
