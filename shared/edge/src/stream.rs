//! Bodies as native streams: the bytes stay with the runtime and never enter this worker's memory.

use futures::future::try_join;
use js_sys::{Object, Promise, Reflect, Uint8Array};
use types::Sha1;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{
    crypto::{DigestStream, DigestStreamAlgorithm},
    web_sys::{ReadableStream, WritableStream, WritableStreamDefaultWriter},
};

use crate::Failure;

/// Bytes that are in flight between a body and where it goes, at most.
const CHUNK: u32 = 256 * 1024;

#[wasm_bindgen]
extern "C" {
    /// An identity transform that knows its length, as R2 asks for.
    #[wasm_bindgen(js_name = FixedLengthStream)]
    type FixedLengthStream;
    #[wasm_bindgen(constructor, catch, js_class = "FixedLengthStream")]
    fn new(length: f64) -> Result<FixedLengthStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &FixedLengthStream) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &FixedLengthStream) -> WritableStream;

    /// A reader that fills the caller's buffer (Streams Standard, section 4.5), with the runtime's
    /// own `readAtLeast`.
    #[wasm_bindgen(js_name = ReadableStreamBYOBReader)]
    type ByobReader;
    #[wasm_bindgen(constructor, catch, js_class = "ReadableStreamBYOBReader")]
    fn new(stream: &ReadableStream) -> Result<ByobReader, JsValue>;
    #[wasm_bindgen(method, js_name = readAtLeast)]
    fn read_at_least(this: &ByobReader, min: u32, view: &Uint8Array) -> Promise;
    #[wasm_bindgen(method)]
    fn cancel(this: &ByobReader, reason: &str) -> Promise;
}

/// A body that is hashed while it is read.
pub struct Hashing {
    /// What to store: the same bytes, of known length.
    pub readable: ReadableStream,
    pump: Pump,
}

struct Pump {
    source: ByobReader,
    sink: WritableStreamDefaultWriter,
    hasher: DigestStream,
    hash_sink: WritableStreamDefaultWriter,
}

/// Splits `body`, of exactly `length` bytes, into a stream to store and its SHA-1.
///
/// One buffer goes round: it is filled from the body, then written to both sides, and filled again
/// when both have taken it. So the slower side sets the pace and nothing piles up, as it would
/// behind `tee`.
pub fn hashing(body: &ReadableStream, length: u32) -> Result<Hashing, Failure> {
    let pipe = FixedLengthStream::new(f64::from(length)).map_err(|error| js(&error))?;
    let hasher = DigestStream::new(DigestStreamAlgorithm::Sha1);
    let hash_sink = hasher
        .raw()
        .unchecked_ref::<WritableStream>()
        .get_writer()
        .map_err(|error| js(&error))?;
    let pump = Pump {
        source: ByobReader::new(body).map_err(|error| js(&error))?,
        sink: pipe.writable().get_writer().map_err(|error| js(&error))?,
        hasher,
        hash_sink,
    };
    Ok(Hashing {
        readable: pipe.readable(),
        pump,
    })
}

impl Hashing {
    /// Moves the bytes; to be awaited together with the reading of `readable`.
    pub async fn sha1(self) -> Result<Sha1, Failure> {
        let Pump {
            source,
            sink,
            hasher,
            hash_sink,
        } = self.pump;
        let moved = pump(&source, &sink, &hash_sink).await;
        if let Err(error) = moved {
            // Whoever waits at the other ends must learn of it; that they have gone is fine.
            let _ = JsFuture::from(sink.abort()).await;
            let _ = JsFuture::from(hash_sink.abort()).await;
            let _ = JsFuture::from(source.cancel("the body could not be stored")).await;
            return Err(js(&error));
        }
        let digest = hasher.digest().await?.to_vec();
        Sha1::try_from(digest.as_slice()).map_err(|error| Failure::internal(error.to_string()))
    }
}

async fn pump(
    source: &ByobReader,
    sink: &WritableStreamDefaultWriter,
    hash_sink: &WritableStreamDefaultWriter,
) -> Result<(), JsValue> {
    let mut buffer = Uint8Array::new_with_length(CHUNK);
    loop {
        let read = JsFuture::from(source.read_at_least(CHUNK, &buffer)).await?;
        let chunk = Reflect::get(&read, &"value".into())?;
        if let Some(chunk) = chunk
            .dyn_ref::<Uint8Array>()
            .filter(|chunk| chunk.length() > 0)
        {
            let write =
                |to: &WritableStreamDefaultWriter| JsFuture::from(to.write_with_chunk(chunk));
            try_join(write(sink), write(hash_sink)).await?;
            buffer = Uint8Array::new(&chunk.buffer());
        }
        if Reflect::get(&read, &"done".into())?.is_truthy() {
            break;
        }
    }
    try_join(
        JsFuture::from(sink.close()),
        JsFuture::from(hash_sink.close()),
    )
    .await?;
    Ok(())
}

/// The SHA-1 of a body that goes nowhere else.
pub async fn sha1_of(body: &ReadableStream) -> Result<Sha1, Failure> {
    let hasher = DigestStream::new(DigestStreamAlgorithm::Sha1);
    JsFuture::from(body.pipe_to(hasher.raw().unchecked_ref()))
        .await
        .map_err(|error| js(&error))?;
    let digest = hasher.digest().await?.to_vec();
    Sha1::try_from(digest.as_slice()).map_err(|error| Failure::internal(error.to_string()))
}

fn js(error: &JsValue) -> Failure {
    let text = error
        .dyn_ref::<Object>()
        .map(|object| String::from(object.to_string()))
        .or_else(|| error.as_string());
    Failure::internal(text.unwrap_or_else(|| "unknown JavaScript error".to_owned()))
}
