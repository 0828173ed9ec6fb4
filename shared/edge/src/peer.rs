//! Another worker, over its service binding: one GET and a small text back, within a time.
//!
//! In JavaScript, since `worker::Fetcher` brings the settings of requests that are not used here.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::Env;

use crate::stream::js;

#[wasm_bindgen(inline_js = "
export async function ask(env, binding, path, milliseconds, limit) {
  const controller = new AbortController();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  });
  const work = async () => {
    const response = await env[binding].fetch(`https://${binding.toLowerCase()}${path}`, { signal: controller.signal });
    const text = await response.text();
    if (text.length > limit) throw new Error(`an answer of more than ${limit} characters`);
    return text;
  };
  try {
    return await Promise.race([work(), late]);
  } catch (error) {
    controller.abort();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn ask(
        env: &JsValue,
        binding: &str,
        path: &str,
        milliseconds: u32,
        limit: u32,
    ) -> Result<JsValue, JsValue>;
}

/// What the worker behind this binding answers to a GET of the path, whatever its status; else what
/// went wrong. A binding that is not there is an error as well.
pub async fn text(
    env: &Env,
    binding: &str,
    path: &str,
    milliseconds: u32,
    limit: u32,
) -> Result<String, String> {
    let text = ask(env, binding, path, milliseconds, limit).await;
    text.map(|text| text.as_string().unwrap_or_default())
        .map_err(|error| js(&error).into_message())
}
