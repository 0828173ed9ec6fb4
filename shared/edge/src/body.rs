//! Small request bodies, as JSON.

use serde::de::DeserializeOwned;
use types::Code;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::Request;

use crate::Failure;

/// The largest body that is read into memory, in bytes.
const LIMIT: usize = 64 * 1024;

/// The body as a `T`. An empty one reads as `{}`.
///
/// 411 without a `Content-Length`, 413 above 64 KiB, 400 `bad-json` for what is no JSON or has a
/// wrong, missing or unknown member, which is named.
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
    serde_json::from_str(text)
        .map_err(|error| Failure::new(Code::BadJson, format!("the body: {error}")))
}

async fn text(request: &Request) -> Result<String, Failure> {
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
