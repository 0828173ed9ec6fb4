//! `PUT /api/packs/<pack>`: one zip as the raw body.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use edge::{Failure, auth, clock, random_bytes, reply};
use types::{Code, PackName, Sha1, config::PackConfig, token::Action};
use uuid::{Builder, Uuid};
use worker::{Env, Headers, Request, Response, web_sys::ReadableStream};

use super::query::{self, Query, pack_name};
use crate::{
    archive::MAX_PACK,
    ingest::{self, Accepted, Publish, Target, Upload},
    jobs::{self, Refusal},
    store::Platform,
};

/// Refuses on the headers whatever can be refused there, before a byte of the body is read.
pub async fn upload(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    name: &str,
) -> Result<Response, Failure> {
    let headers = request.headers();
    let token = auth::require(headers, env, Action::PackWrite, Some(name))?;
    let query = Query::read(request, query::UPLOAD)?;
    let pack = pack_name(name)?;
    let declared = declared_sha1(headers)?;
    let length = match content_length(headers, config) {
        Ok(length) => length,
        Err(failure) => return Err(refuse(env, config, &pack, &token.name, failure).await),
    };
    let publish = if query.publish {
        Publish::Now(query.channel)
    } else {
        Publish::No(query.channel)
    };
    let upload = Upload {
        target: Target {
            pack,
            publish,
            by: token.name,
            id: random_id()?,
        },
        declared,
        length,
    };
    let platform = Platform::new(env)?;
    let body = request.inner().body();
    let accepted = accept(&platform, env, config, &upload, body).await?;
    reply::json(if accepted.new { 201 } else { 200 }, &accepted.uploaded)
}

/// Takes in a body, and tells who wants to know that it was refused.
pub async fn accept(
    platform: &Platform,
    env: &Env,
    config: &PackConfig,
    upload: &Upload,
    body: Option<ReadableStream>,
) -> Result<Accepted, Failure> {
    let by = &upload.target.by;
    match ingest::upload(platform, upload, body, &config.public_url).await {
        Ok(accepted) => Ok(accepted),
        Err(error) => {
            if let Some(reason) = error.reason() {
                let refusal = Refusal {
                    pack: &upload.target.pack,
                    by: by.clone(),
                    at: clock::now(),
                    reason,
                };
                jobs::refused(env, config, refusal).await;
            }
            Err(error.into())
        }
    }
}

/// Tells who wants to know of a pack that is too large, as of bytes that are refused; gives the
/// failure back. What else is wrong with a request says nothing about a pack. For one whose token was
/// checked: nobody else is to cause messages.
pub async fn refuse(
    env: &Env,
    config: &PackConfig,
    pack: &PackName,
    by: &str,
    failure: Failure,
) -> Failure {
    if let Failure::Problem { problem, .. } = &failure
        && problem.code == Code::TooLarge
    {
        let refusal = Refusal {
            pack,
            by: by.to_owned(),
            at: clock::now(),
            reason: problem.detail.clone(),
        };
        jobs::refused(env, config, refusal).await;
    }
    failure
}

/// A random uuid.
pub fn random_id() -> Result<Uuid, Failure> {
    Ok(Builder::from_random_bytes(random_bytes()?).into_uuid())
}

/// The length of the body, within the limit for one request.
pub fn content_length(headers: &Headers, config: &PackConfig) -> Result<u64, Failure> {
    let length = headers
        .get("content-length")?
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| {
            Failure::new(
                Code::LengthRequired,
                "say how long the pack is: Content-Length, as curl -T pack.zip does",
            )
        })?;
    let limit = config.max_upload_bytes.min(MAX_PACK);
    if length > limit {
        let detail = format!("the pack has {length} bytes; one upload takes {limit} at most");
        return Err(Failure::new(Code::TooLarge, detail));
    }
    Ok(length)
}

/// The hash that the client declares, by `X-Pack-Sha1` (hexadecimal) or `Repr-Digest` (RFC 9530:
/// `sha=:<base64>:`, among others).
fn declared_sha1(headers: &Headers) -> Result<Option<Sha1>, Failure> {
    let hex = headers.get("x-pack-sha1")?.map(|text| {
        let parsed = text.trim().parse::<Sha1>();
        parsed.map_err(|error| Failure::new(Code::BadRequest, format!("X-Pack-Sha1: {error}")))
    });
    let digest = headers
        .get("repr-digest")?
        .and_then(|text| repr_digest_sha1(&text).transpose());
    let digest = digest.map(|digest| {
        digest.map_err(|error| Failure::new(Code::BadRequest, format!("Repr-Digest: {error}")))
    });
    match (hex.transpose()?, digest.transpose()?) {
        (Some(hex), Some(digest)) if hex != digest => Err(Failure::new(
            Code::BadRequest,
            "X-Pack-Sha1 and Repr-Digest differ",
        )),
        (hex, digest) => Ok(hex.or(digest)),
    }
}

/// The member `sha` of a `Repr-Digest` dictionary; digests by other algorithms are passed over.
fn repr_digest_sha1(text: &str) -> Result<Option<Sha1>, String> {
    let mut members = text
        .split(',')
        .filter_map(|member| member.trim().split_once('='));
    let Some((_, value)) = members.find(|(algorithm, _)| algorithm.eq_ignore_ascii_case("sha"))
    else {
        return Ok(None);
    };
    let bytes = value
        .trim()
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|base64| BASE64_STANDARD.decode(base64).ok())
        .and_then(|bytes| Sha1::try_from(bytes.as_slice()).ok());
    bytes
        .map(Some)
        .ok_or_else(|| "sha is not :<base64 of 20 bytes>:".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_among_others_and_refused_when_malformed() {
        let empty = Sha1::of(b"");
        let sha = "sha=:2jmj7l5rSw0yVb/vlWAYkK/YBwk=:";
        assert_eq!(repr_digest_sha1(sha), Ok(Some(empty)));
        assert_eq!(
            repr_digest_sha1(&format!("sha-256=:AAAA:, {sha}")),
            Ok(Some(empty))
        );
        assert_eq!(repr_digest_sha1("sha-256=:AAAA:"), Ok(None));
        for bad in [
            "sha=",
            "sha=::",
            "sha=:AAAA:",
            "sha=2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "sha=:!:",
        ] {
            assert!(repr_digest_sha1(bad).is_err(), "{bad:?}");
        }
    }
}
