//! Small answers of other servers, as text.
//!
//! In JavaScript, since `worker::Request` brings 20 KB of settings that are not used here.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::stream::js;

#[wasm_bindgen(inline_js = "
export async function get(from, url, accept, milliseconds, limit) {
  const controller = new AbortController();
  const late = () => controller.abort(new Error(`no answer within ${milliseconds} ms`));
  const timer = setTimeout(late, milliseconds);
  try {
    const response = await (from ?? globalThis).fetch(url, { headers: { accept }, redirect: 'manual', signal: controller.signal });
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
    const chunks = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.byteLength;
      if (length > limit) throw new Error(`an answer of more than ${limit} bytes`);
      chunks.push(chunk);
    }
    return await new Blob(chunks).text();
  } catch (error) {
    // It holds one of six connections until it is let go of.
    controller.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn get(
        from: &JsValue,
        url: &str,
        accept: &str,
        milliseconds: u32,
        limit: u32,
    ) -> Result<JsValue, JsValue>;
}

/// What a URL answers with 200, within this time and at most this long; else what went wrong.
/// Nothing redirects.
pub async fn text(
    url: &str,
    accept: &str,
    milliseconds: u32,
    limit: u32,
) -> Result<String, String> {
    text_from(&JsValue::UNDEFINED, url, accept, milliseconds, limit).await
}

/// The same, of a service binding.
pub async fn text_from(
    service: &JsValue,
    url: &str,
    accept: &str,
    milliseconds: u32,
    limit: u32,
) -> Result<String, String> {
    let text = get(service, url, accept, milliseconds, limit).await;
    text.map(|text| text.as_string().unwrap_or_default())
        .map_err(|error| js(&error).into_message())
}
