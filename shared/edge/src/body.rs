//! Small request bodies, as JSON.

use js_sys::{Array, Uint8Array};
use serde::de::DeserializeOwned;
use types::Code;
use wasm_bindgen::{JsCast as _, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{Request, web_sys::ReadableStream};

use crate::Failure;

#[wasm_bindgen(inline_js = "
export async function last(body, most, limit) {
  let [chunks, kept, length] = [[], 0, 0];
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.byteLength;
    kept += chunk.byteLength;
    if (length > limit) break;
    while (kept - chunks[0].byteLength >= most) kept -= chunks.shift().byteLength;
  }
  const all = new Uint8Array(await new Blob(chunks).arrayBuffer());
  return [all.subarray(Math.max(0, all.length - most)), length];
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn last(body: &ReadableStream, most: u32, limit: u32) -> Result<JsValue, JsValue>;
}

/// The largest body that is read into memory, in bytes.
const LIMIT: usize = 64 * 1024;

/// The body as a `T`. An empty one reads as `{}`.
///
/// Beside the errors of [`text`]: 400 `bad-json` for what is no JSON object or has a wrong, missing
/// or unknown member, which is named.
pub async fn json<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    let text = text(request).await?;
    let text = if text.trim().is_empty() { "{}" } else { &text };
    parsed(text)
}

/// The same for a body that must not be empty, since `{}` would be a wish of its own.
pub async fn json_required<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    let text = text(request).await?;
    if text.trim().is_empty() {
        return Err(Failure::new(Code::BadJson, "the body is empty"));
    }
    parsed(&text)
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    parse(text).map_err(|problem| Failure::new(Code::BadJson, format!("the body: {problem}")))
}

/// The body as it is: 411 without a `Content-Length`, 413 above 64 KiB, 400 when it breaks off.
pub async fn text(request: &Request) -> Result<String, Failure> {
    let length = request.headers().get("content-length")?;
    let length = match (length, request.inner().body()) {
        (Some(length), _) => length.parse::<usize>().ok(),
        (None, None) => Some(0),
        (None, Some(_)) => None,
    };
    let length = length.ok_or_else(|| {
        Failure::new(
            Code::LengthRequired,
            "say how long the body is: Content-Length",
        )
    })?;
    if length > LIMIT {
        let detail = format!("the body has {length} bytes; {LIMIT} at most are read here");
        return Err(Failure::new(Code::TooLarge, detail));
    }
    let unreadable = |error: JsValue| {
        let detail = format!("the body could not be read: {error:?}");
        Failure::new(Code::BadRequest, detail)
    };
    let text = JsFuture::from(request.inner().text().map_err(unreadable)?).await;
    Ok(text.map_err(unreadable)?.as_string().unwrap_or_default())
}

/// The end of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    pub bytes: Vec<u8>,
    /// How long the whole is.
    pub length: usize,
}

/// The last bytes of a body, at most `most`, whether it says its length or not: 413 when the whole
/// is longer than `limit`, 400 when it breaks off.
pub async fn tail(request: &Request, most: u32, limit: u32) -> Result<Tail, Failure> {
    let too_large = || {
        let detail = format!("the body has more than {limit} bytes");
        Failure::new(Code::TooLarge, detail)
    };
    let said = request.headers().get("content-length")?;
    let said = said.and_then(|length| length.parse::<u64>().ok());
    if said.is_some_and(|length| length > u64::from(limit)) {
        return Err(too_large());
    }
    let Some(body) = request.inner().body() else {
        return Ok(Tail::default());
    };
    let unreadable = |error: JsValue| {
        let detail = format!("the body could not be read: {error:?}");
        Failure::new(Code::BadRequest, detail)
    };
    let parts: Array = last(&body, most, limit)
        .await
        .map_err(unreadable)?
        .unchecked_into();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length that is little more than `limit` at most"
    )]
    let length = parts.get(1).as_f64().unwrap_or_default() as usize;
    if length > limit as usize {
        return Err(too_large());
    }
    let bytes = parts.get(0).unchecked_into::<Uint8Array>().to_vec();
    Ok(Tail { bytes, length })
}

/// An object as a `T`. The error names the member that is wrong.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Serde would take an array for a struct, its items for the members in order.
    if text.trim_start().starts_with('[') {
        return Err("must be a JSON object, not an array".to_owned());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let problem = error.inner().to_string();
        match error.path().to_string().as_str() {
            // Of the whole, or of no member that is known.
            "." | "?" => problem,
            member => format!("{member}: {problem}"),
        }
    })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        count: u8,
        deep: Option<Vec<bool>>,
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            (r#"{"count":"1"}"#, "count: invalid type: string"),
            (
                r#"{"count":1,"deep":[true,5]}"#,
                "deep[1]: invalid type: integer `5`",
            ),
            ("{}", "missing field `count`"),
            (r#"{"cuont":1}"#, "cuont: unknown field `cuont`"),
            ("[1, null]", "must be a JSON object"),
            ("null", "invalid type: null"),
            (r#"{"count":1} x"#, "trailing characters"),
            (r#"{"count":1"#, "EOF"),
        ] {
            let error = parse::<Body>(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
        let body = parse(r#" {"count":1} "#);
        assert_eq!(
            body,
            Ok(Body {
                count: 1,
                deep: None
            })
        );
    }
}
