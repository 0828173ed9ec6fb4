//! The file in a multipart body, without holding the body: the front of it is read and looked at,
//! the rest passes natively up to the delimiter that ends the file.
//!
//! What the file's length is shows only at its end, and R2 wants a length before the first byte. So
//! all that is left of the body, whose length is known, goes to one side, and to the hash the bytes
//! in front of the delimiter alone; the caller then takes as many of what was stored.

use futures::future;
use js_sys::{Array, Uint8Array};
use types::Sha1;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{
    crypto::{DigestStream, DigestStreamAlgorithm},
    web_sys::{ReadableStream, WritableStream},
};

use super::{CHUNK, FixedLengthStream, digest, js};
use crate::Failure;

/// How much of what follows the delimiter is looked at, in bytes: that it ends the body shows in few.
pub const AFTER: u32 = 64;

// JavaScript for the reason that `pump` is, and since every byte is looked at here: the search
// (Horspool's) skips by up to the delimiter's length.
#[wasm_bindgen(inline_js = r#"
export async function front(body, size) {
  const reader = body.getReader({ mode: "byob" });
  const { value } = await reader.readAtLeast(size, new Uint8Array(size));
  return [reader, value ?? new Uint8Array(0)];
}

export async function drain(reader, size) {
  let buffer = new Uint8Array(size);
  for (;;) {
    const { value } = await reader.readAtLeast(size, buffer);
    if (!value?.byteLength) return;
    buffer = new Uint8Array(value.buffer);
  }
}

export async function delimited(reader, front, delimiter, to, hash, size, most) {
  const whole = to.getWriter();
  const part = hash.getWriter();
  const skips = skipsOf(delimiter);
  const overlap = delimiter.length - 1;
  let kept = new Uint8Array(0); // the end of what was read, in which the delimiter may begin
  let length = 0;
  let after; // what follows the delimiter, once it was found
  try {
    let chunk = front;
    let buffer = new Uint8Array(size);
    for (;;) {
      const writes = chunk.length ? [whole.write(chunk)] : [];
      if (after) after = cut(after, chunk, 0, Math.min(after.length + chunk.length, most + 1));
      else {
        const seam = cut(kept, chunk, 0, kept.length + Math.min(overlap, chunk.length));
        let at = find(seam, delimiter, skips);
        if (at < 0) {
          const inside = find(chunk, delimiter, skips);
          at = inside < 0 ? -1 : kept.length + inside;
        }
        const all = kept.length + chunk.length;
        const end = at < 0 ? Math.max(0, all - overlap) : at;
        const split = Math.min(end, kept.length);
        if (split) writes.push(part.write(kept.subarray(0, split)));
        if (end > split) writes.push(part.write(chunk.subarray(0, end - split)));
        length += end;
        if (at < 0) kept = cut(kept, chunk, end, all);
        else after = cut(kept, chunk, at + delimiter.length, Math.min(all, at + delimiter.length + most + 1));
      }
      await Promise.all(writes);
      if (after?.length > most) break;
      const { value } = await reader.readAtLeast(size, buffer);
      if (!value?.byteLength) break;
      chunk = value;
      buffer = new Uint8Array(value.buffer);
    }
    await part.close();
    whole.releaseLock();
    return [length, after];
  } catch (error) {
    await Promise.allSettled([whole.abort(error), part.abort(error), reader.cancel(error)]);
    throw error;
  }
}

/** From `from` to `to` of what `first` and `second` make together. */
function cut(first, second, from, to) {
  const out = new Uint8Array(to - from);
  const head = first.subarray(Math.min(from, first.length), Math.min(to, first.length));
  out.set(head);
  out.set(second.subarray(Math.max(0, from - first.length), Math.max(0, to - first.length)), head.length);
  return out;
}

function skipsOf(needle) {
  const last = needle.length - 1;
  const skips = new Uint8Array(256).fill(needle.length);
  for (let at = 0; at < last; at++) skips[needle[at]] = last - at;
  return skips;
}

function find(bytes, needle, skips) {
  const last = needle.length - 1;
  for (let at = last; at < bytes.length; at += skips[bytes[at]]) {
    let same = 0;
    while (same <= last && bytes[at - same] === needle[last - same]) same++;
    if (same > last) return at - last;
  }
  return -1;
}"#)]
extern "C" {
    #[wasm_bindgen(catch, js_name = front)]
    async fn front_of(body: &ReadableStream, size: u32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch)]
    async fn drain(reader: &JsValue, size: u32) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = delimited)]
    async fn pump_delimited(
        reader: &JsValue,
        front: &Uint8Array,
        delimiter: &Uint8Array,
        to: &WritableStream,
        hash: &WritableStream,
        size: u32,
        most: u32,
    ) -> Result<JsValue, JsValue>;
}

/// The front of a body that is read no further yet.
pub struct Front {
    reader: JsValue,
    bytes: Uint8Array,
}

impl Front {
    /// Waits for `size` bytes, or for all when there are fewer.
    pub async fn read(body: &ReadableStream, size: u32) -> Result<Self, Failure> {
        let read = front_of(body, size).await.map_err(|error| js(&error))?;
        let read: Array = read.unchecked_into();
        Ok(Self {
            reader: read.get(0),
            bytes: read.get(1).unchecked_into(),
        })
    }

    /// A copy of what was read.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// Reads the rest and drops it. A client that is still sending when the answer comes does not
    /// read it but sees its connection reset.
    pub async fn drain(self) {
        // That the client has gone is fine here.
        let _ = drain(&self.reader, CHUNK).await;
    }

    /// Passes on what follows the first `skip` bytes, `length` bytes of which are to come.
    pub fn delimited(self, skip: u32, delimiter: &[u8], length: u32) -> Result<Delimited, Failure> {
        let pipe = FixedLengthStream::new(f64::from(length)).map_err(|error| js(&error))?;
        Ok(Delimited {
            readable: pipe.readable(),
            writable: pipe.writable(),
            front: self.bytes.subarray(skip, self.bytes.length()),
            reader: self.reader,
            delimiter: Uint8Array::from(delimiter),
        })
    }
}

/// A body that is hashed up to a delimiter while it is read.
pub struct Delimited {
    /// What to store: file, delimiter and all that follows, of known length.
    pub readable: ReadableStream,
    writable: WritableStream,
    front: Uint8Array,
    reader: JsValue,
    delimiter: Uint8Array,
}

/// What lay in front of the delimiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub sha1: Sha1,
    /// Bytes.
    pub length: u64,
    /// What follows the delimiter, or, when that is more than [`AFTER`] bytes, one byte more than
    /// these; `None` when there was no delimiter.
    pub after: Option<Vec<u8>>,
}

impl Delimited {
    /// Moves the bytes; to be awaited together with the reading of `readable`. That ends well only
    /// if the end is as it `must` be, and otherwise with an error, so that nothing is stored.
    pub async fn part(self, must: impl FnOnce(&Part) -> bool) -> Result<Part, Failure> {
        let hasher = DigestStream::new(DigestStreamAlgorithm::Sha1);
        let hash = hasher.raw().unchecked_ref();
        let moved = pump_delimited(
            &self.reader,
            &self.front,
            &self.delimiter,
            &self.writable,
            hash,
            CHUNK,
            AFTER,
        );
        let moved: Array = moved.await.map_err(|error| js(&error))?.unchecked_into();
        let part = Part {
            sha1: digest(&hasher).await?,
            length: length(&moved.get(0))?,
            after: moved.get(1).dyn_ref::<Uint8Array>().map(Uint8Array::to_vec),
        };
        if must(&part) {
            let closed = JsFuture::from(self.writable.close()).await;
            closed.map_err(|error| js(&error))?;
        } else {
            let aborted = JsFuture::from(self.writable.abort());
            // Both have nothing left to say: what there is to say is in the part.
            let _ = future::join(aborted, drain(&self.reader, CHUNK)).await;
        }
        Ok(part)
    }
}

/// A count that JavaScript made: whole and not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn length(count: &JsValue) -> Result<u64, Failure> {
    let count = count.as_f64().filter(|count| (0.0..=9e15).contains(count));
    let count = count.ok_or_else(|| Failure::internal("a length that is none"))?;
    Ok(count as u64)
}
