//! Several bodies as one, natively: an object that lies in parts is hashed and copied without its
//! bytes entering this worker's memory.

use types::Sha1;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::{
    crypto::{DigestStream, DigestStreamAlgorithm},
    web_sys::{ReadableStream, WritableStream},
};

use crate::{
    Failure,
    stream::{FixedLengthStream, digest, js},
};

#[wasm_bindgen(inline_js = "
export const append = (from, to) => from.pipeTo(to, { preventClose: true, preventAbort: true });
export const close = (to) => to.close();
export const abort = (to, reason) => to.abort(new Error(reason)).catch(() => {});
")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn append(from: &ReadableStream, to: &WritableStream) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn close(to: &WritableStream) -> Result<JsValue, JsValue>;
    async fn abort(to: &WritableStream, reason: &str) -> JsValue;
}

/// The SHA-1 of all the bodies that `next` gives, one after another, until it gives none.
pub async fn sha1(
    next: impl AsyncFnMut() -> Result<Option<ReadableStream>, Failure>,
) -> Result<Sha1, Failure> {
    let hasher = DigestStream::new(DigestStreamAlgorithm::Sha1);
    append_all(hasher.raw().unchecked_ref(), next).await?;
    digest(&hasher).await
}

/// Several bodies on their way into one.
pub struct Concat {
    /// What to store: all the bytes, of known length.
    pub readable: ReadableStream,
    pipe: FixedLengthStream,
}

/// One body of exactly `length` bytes.
pub fn concat(length: u32) -> Result<Concat, Failure> {
    let pipe = FixedLengthStream::new(f64::from(length)).map_err(|error| js(&error))?;
    Ok(Concat {
        readable: pipe.readable(),
        pipe,
    })
}

impl Concat {
    /// Moves the bytes; to be awaited together with the reading of `readable`.
    pub async fn fill(
        self,
        next: impl AsyncFnMut() -> Result<Option<ReadableStream>, Failure>,
    ) -> Result<(), Failure> {
        append_all(&self.pipe.writable(), next).await
    }
}

async fn append_all(
    to: &WritableStream,
    mut next: impl AsyncFnMut() -> Result<Option<ReadableStream>, Failure>,
) -> Result<(), Failure> {
    let moved = async {
        while let Some(body) = next().await? {
            append(&body, to).await.map_err(|error| js(&error))?;
        }
        close(to).await.map_err(|error| js(&error)).map(drop)
    };
    let result = moved.await;
    if result.is_err() {
        // Whoever reads the other end must learn of it.
        abort(to, "a part could not be read").await;
    }
    result
}
