//! Small answers of other servers, as text.

use wasm_bindgen::JsValue;

use crate::fetch::{self, Request};

/// What a URL answers with 200, within this time and at most this long; else what went wrong.
/// Nothing redirects.
pub async fn text(
    url: &str,
    accept: &str,
    milliseconds: u32,
    limit: u32,
) -> Result<String, String> {
    let headers = [("accept", accept)];
    text_from(&JsValue::UNDEFINED, url, &headers, milliseconds, limit).await
}

/// The same, asked of the worker behind a service binding, with these headers.
pub async fn text_from(
    service: &JsValue,
    url: &str,
    headers: &[(&str, &str)],
    milliseconds: u32,
    limit: u32,
) -> Result<String, String> {
    let request = Request {
        headers,
        timeout_ms: milliseconds,
        limit,
        ..Request::get(url)
    };
    let answer = fetch::send_to(service, request)
        .await
        .map_err(|error| error.to_string())?;
    match answer.status {
        200 if answer.cut => Err(format!("an answer of more than {limit} bytes")),
        200 => Ok(answer.text),
        status => Err(format!("answered {status}")),
    }
}
