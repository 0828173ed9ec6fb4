//! Answers.

use serde::Serialize;
use types::{Problem, Sha1};
use worker::{Headers, Response, ResponseBuilder};

use crate::{Failure, conditional::none_match_names};

pub const JSON: &str = "application/json";
pub const PROBLEM_JSON: &str = "application/problem+json";
pub const TEXT: &str = "text/plain; charset=utf-8";

fn with_type(status: u16, media_type: &str, body: Vec<u8>) -> Result<Response, Failure> {
    let builder = ResponseBuilder::new()
        .with_status(status)
        .with_header("Content-Type", media_type)?
        .with_header("Content-Length", &body.len().to_string())?;
    Ok(builder.fixed(body))
}

/// A body of any type.
pub fn bytes(status: u16, media_type: &str, body: Vec<u8>) -> Result<Response, Failure> {
    with_type(status, media_type, body)
}

/// A value as JSON.
pub fn json(status: u16, value: &impl Serialize) -> Result<Response, Failure> {
    let body = serde_json::to_vec(value).map_err(|error| Failure::internal(error.to_string()))?;
    with_type(status, JSON, body)
}

/// One line of plain text.
pub fn text(status: u16, line: &str) -> Result<Response, Failure> {
    with_type(status, TEXT, format!("{line}\n").into_bytes())
}

/// The entity tag (RFC 9110, section 8.8.3) of a stored value: its SHA-1 in quotes. Not of what is
/// computed from it and only tells the time.
pub fn tag_of(stored: &[u8]) -> String {
    format!("\"{}\"", Sha1::of(stored))
}

/// 200 with the body and its tag, or 304 when the client has it.
pub fn tagged(
    request: &Headers,
    tag: &str,
    media_type: &str,
    body: impl FnOnce() -> Result<Vec<u8>, Failure>,
) -> Result<Response, Failure> {
    let response = if none_match_names(request, tag) {
        ResponseBuilder::new().with_status(304).empty()
    } else {
        with_type(200, media_type, body()?)?
    };
    response.headers().set("ETag", tag)?;
    // To be asked again each time; the tag makes that cheap.
    response.headers().set("Cache-Control", "no-cache")?;
    Ok(response)
}

/// A problem as RFC 9457 has it.
pub(crate) fn problem(problem: &Problem) -> Result<Response, Failure> {
    let body = serde_json::to_vec(problem).map_err(|error| Failure::internal(error.to_string()))?;
    with_type(problem.status, PROBLEM_JSON, body)
}
