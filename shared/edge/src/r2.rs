//! R2 with the few operations that keep its promises: create-only, compare-and-swap, ranges.

use std::collections::HashMap;

use types::Sha1;
use worker::{Bucket, Conditional, Data, HttpMetadata, Object, Range};

use crate::Failure;

/// How a conditional write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Yes,
    /// The condition did not hold: something was there, or something else.
    No,
}

/// How storing bytes under their hash ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    Yes,
    /// The key was taken; nothing was written and nothing compared.
    Exists,
    /// R2 refused: the bytes have another SHA-1. Nothing was written.
    WrongHash,
    /// The body ended early, or its connection broke. Nothing was written.
    CutOff,
}

/// A text and the etag to change it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    pub text: String,
    pub etag: String,
}

fn create_only() -> Conditional {
    Conditional {
        etag_does_not_match: Some("*".to_owned()),
        ..Conditional::default()
    }
}

/// Stores a body natively, never over anything that is there. With `sha1`, R2 itself verifies the
/// bytes while it stores them and refuses others (error 10037).
pub async fn create(
    bucket: &Bucket,
    key: &str,
    body: impl Into<Data>,
    metadata: HttpMetadata,
    sha1: Option<&Sha1>,
) -> Result<Stored, Failure> {
    let mut put = bucket
        .put(key, body)
        .http_metadata(metadata)
        .only_if(create_only());
    if let Some(sha1) = sha1 {
        put = put.sha1(sha1.as_bytes().to_vec());
    }
    match put.execute().await {
        Ok(Some(_)) => Ok(Stored::Yes),
        Ok(None) => Ok(Stored::Exists),
        Err(error) => refusal(&error.to_string()),
    }
}

/// Stores a body natively over whatever is there; `None` if it broke off, then nothing changed.
pub async fn replace(
    bucket: &Bucket,
    key: &str,
    body: impl Into<Data>,
) -> Result<Option<Object>, Failure> {
    match bucket.put(key, body).execute().await {
        Ok(stored) => Ok(stored),
        Err(error) => refusal(&error.to_string()).map(|_| None),
    }
}

/// What the runtime says when a client goes away in the middle of its body.
const CUT_OFF: [&str; 3] = [
    "FixedLengthStream",
    "disconnected prematurely",
    "Network connection lost",
];

/// Tells R2's refusals of a body from its failures, by the error's text: there is no code to match.
fn refusal(error: &str) -> Result<Stored, Failure> {
    if error.contains("10037") {
        Ok(Stored::WrongHash)
    } else if CUT_OFF.iter().any(|words| error.contains(words)) {
        Ok(Stored::CutOff)
    } else {
        Err(Failure::internal(format!("R2 put: {error}")))
    }
}

/// Reads `length` bytes from `offset`. The caller bounds `length`; it is held in memory.
pub async fn read_range(
    bucket: &Bucket,
    key: &str,
    offset: u64,
    length: u64,
) -> Result<Option<Vec<u8>>, Failure> {
    let object = bucket
        .get(key)
        .range(Range::OffsetWithLength { offset, length })
        .execute()
        .await?;
    match object.as_ref().and_then(Object::body) {
        Some(body) => Ok(Some(body.bytes().await?)),
        None => Ok(None),
    }
}

/// Reads a small text with its etag.
pub async fn read_text(bucket: &Bucket, key: &str) -> Result<Option<Versioned>, Failure> {
    let object = bucket.get(key).execute().await?;
    match object
        .as_ref()
        .and_then(|object| Some((object.etag(), object.body()?)))
    {
        Some((etag, body)) => Ok(Some(Versioned {
            text: body.text().await?,
            etag,
        })),
        None => Ok(None),
    }
}

/// Compare-and-swap: writes the text if the object still has this etag, or, with `None`, if there
/// is still no object.
pub async fn swap_text(
    bucket: &Bucket,
    key: &str,
    text: String,
    etag: Option<&str>,
) -> Result<Written, Failure> {
    swap_text_with(bucket, key, text, etag, []).await
}

/// The same, with custom metadata, which can be read without the text; R2 takes 8,192 bytes of it.
pub async fn swap_text_with(
    bucket: &Bucket,
    key: &str,
    text: String,
    etag: Option<&str>,
    custom: impl IntoIterator<Item = (String, String)>,
) -> Result<Written, Failure> {
    let condition = match etag {
        Some(etag) => Conditional {
            etag_matches: Some(etag.to_owned()),
            ..Conditional::default()
        },
        None => create_only(),
    };
    let metadata = HttpMetadata {
        content_type: Some("application/json".to_owned()),
        ..HttpMetadata::default()
    };
    let put = bucket
        .put(key, text)
        .http_metadata(metadata)
        .custom_metadata(custom.into_iter().collect::<HashMap<_, _>>())
        .only_if(condition);
    match put.execute().await {
        Ok(Some(_)) => Ok(Written::Yes),
        Ok(None) => Ok(Written::No),
        // Somebody else has written the same object within this second: R2 refuses the second one
        // before it looks at the condition ("Error codes", TooManyRequests).
        Err(error) if error.to_string().contains("10058") => Ok(Written::No),
        Err(error) => Err(error.into()),
    }
}
