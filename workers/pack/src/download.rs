//! The download: bytes by their hash, natively streamed from R2 (RFC 9110, sections 13 to 15).

use edge::{Failure, conditional, not_found};
use http_range_header::{EndPosition, StartPosition, parse_range_header};
use types::{Code, Sha1};
use worker::{Bucket, Headers, Method, Object, Range, Request, Response, ResponseBuilder};

use crate::store::blob_key;

/// What a request wants of an object of known size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Whole,
    /// One range: offset and length, both inside the object.
    Part {
        offset: u64,
        length: u64,
    },
    Unsatisfiable,
}

/// Reads a `Range` header (RFC 9110, section 14.2). What is malformed, or asks for several ranges,
/// counts as not there: the whole is always a right answer.
fn wanted(range: Option<&str>, size: u64) -> Wanted {
    let Some(range) = range.filter(|range| !range.contains(',')) else {
        return Wanted::Whole;
    };
    let suffix = range.strip_prefix("bytes=-").unwrap_or_default();
    if !suffix.is_empty() && suffix.bytes().all(|digit| digit == b'0') {
        return Wanted::Unsatisfiable;
    }
    // The crate takes an empty suffix for malformed, and its `validate` refuses
    // one that is longer than the object, which RFC 9110 takes as the whole.
    let parsed = parse_range_header(range).ok();
    let Some(spec) = parsed.as_ref().and_then(|parsed| parsed.ranges.first()) else {
        return Wanted::Whole;
    };
    let (first, last) = match (spec.start, spec.end) {
        (StartPosition::FromLast(suffix), _) => (size.saturating_sub(suffix), u64::MAX),
        (StartPosition::Index(first), EndPosition::LastByte) => (first, u64::MAX),
        (StartPosition::Index(first), EndPosition::Index(last)) => (first, last),
    };
    match last.min(size.saturating_sub(1)) {
        _ if last < first => Wanted::Whole,
        _ if first >= size => Wanted::Unsatisfiable,
        last => Wanted::Part {
            offset: first,
            length: last - first + 1,
        },
    }
}

/// `GET /packs/<sha1>.zip`, and HEAD.
pub async fn answer(request: &Request, bucket: &Bucket, file: &str) -> Result<Response, Failure> {
    let gone = || {
        not_found(&format!(
            "resource pack {:?}",
            file.chars().take(60).collect::<String>()
        ))
    };
    let sha1: Sha1 = file
        .strip_suffix(".zip")
        .and_then(|hex| hex.parse().ok())
        .ok_or_else(gone)?;
    let key = blob_key(&sha1);
    let tag = format!("\"{sha1}\"");
    let headers = request.headers();
    let range = headers
        .get("range")?
        .filter(|_| conditional::if_range_allows(headers, &tag));
    let unchanged = conditional::none_match_names(headers, &tag);
    if unchanged || range.is_some() || request.method() == Method::Head {
        let object = bucket.head(&key).await?.ok_or_else(gone)?;
        let head = head(&object, &tag)?;
        if unchanged {
            return Ok(head.with_status(304).empty());
        }
        if request.method() == Method::Head {
            return Ok(head
                .with_header("Content-Length", &object.size().to_string())?
                .empty());
        }
        match wanted(range.as_deref(), object.size()) {
            Wanted::Whole => {}
            Wanted::Part { offset, length } => {
                return part(bucket, &key, head, offset, length, object.size())
                    .await?
                    .ok_or_else(gone);
            }
            Wanted::Unsatisfiable => {
                let detail = format!(
                    "the pack has {} bytes; the range asks for none of them",
                    object.size()
                );
                return Err(Failure::new(Code::RangeNotSatisfiable, detail)
                    .with_header("Content-Range", format!("bytes */{}", object.size())));
            }
        }
    }
    let object = bucket.get(&key).execute().await?.ok_or_else(gone)?;
    let head = head(&object, &tag)?.with_header("Content-Length", &object.size().to_string())?;
    let body = object.body().ok_or_else(gone)?.response_body()?;
    Ok(head.body(body))
}

async fn part(
    bucket: &Bucket,
    key: &str,
    head: ResponseBuilder,
    offset: u64,
    length: u64,
    size: u64,
) -> Result<Option<Response>, Failure> {
    let object = bucket
        .get(key)
        .range(Range::OffsetWithLength { offset, length })
        .execute()
        .await?;
    let Some(body) = object.as_ref().and_then(Object::body) else {
        return Ok(None);
    };
    let last = offset + length - 1;
    let head = head
        .with_status(206)
        .with_header("Content-Range", &format!("bytes {offset}-{last}/{size}"))?
        .with_header("Content-Length", &length.to_string())?;
    Ok(Some(head.body(body.response_body()?)))
}

/// The headers that every answer about these bytes has: they never change.
fn head(object: &Object, tag: &str) -> Result<ResponseBuilder, Failure> {
    let headers = Headers::new();
    headers.set("ETag", tag)?;
    headers.set("Cache-Control", "public, max-age=31536000, immutable")?;
    headers.set("Accept-Ranges", "bytes")?;
    headers.set("Content-Type", "application/zip")?;
    if let Some(disposition) = object.http_metadata().content_disposition {
        headers.set("Content-Disposition", &disposition)?;
    }
    Ok(ResponseBuilder::new().with_headers(headers))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_range_is_read_as_rfc_9110_says() {
        let part = |offset, length| Wanted::Part { offset, length };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-4", part(0, 5)),
            ("bytes=5-", part(5, 5)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=8-99", part(8, 2)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-20", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=4-2", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(range), 10), expected, "{range:?}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_part_is_never_outside_the_object(range in ".{0,40}", from: u64, to: u64, size in 1_u64..1_000_000) {
            for range in [range, format!("bytes={from}-{to}"), format!("bytes=-{from}"), format!("bytes={from}-")] {
                if let Wanted::Part { offset, length } = wanted(Some(&range), size) {
                    prop_assert!(length > 0 && offset.checked_add(length).is_some_and(|end| end <= size));
                }
            }
        }
    }
}
