//! A drop-in for Oraxen's Polymath (oraxen/polymath): `POST /upload` and `GET /pack.zip?id=<sha1>`.
//!
//! Its clients send a form with the fields `id`, which Oraxen calls `secret` and which is a token
//! here, and `pack`, the zip; they read `url` and `sha1` of the answer, or print its `error`. What
//! they send is published to the channel `stable` of the pack that the configuration names.
//!
//! The token is checked before anything is stored. How long the file is shows only at its end, so
//! the rest of the form is set aside in R2 as it comes and hashed up to the boundary behind the
//! file; of what was set aside, the file is then taken in like any upload of a declared hash.

mod form;

use edge::{
    Failure, auth, reply,
    stream::{Front, Part},
};
use futures::future::join;
use serde::Serialize;
use types::{
    Channel, Code, Sha1,
    config::PackConfig,
    token::{Action, Presented, TokenEntry},
};
use uuid::Uuid;
use worker::{
    Env, Headers, HttpMetadata, Method, Object, ObjectBody, Range, Request, Response, ResponseBody,
    web_sys::ReadableStream,
};

use self::form::{Boundary, FormError};
use crate::{
    archive::MAX_PACK,
    http::{accept, random_id, refuse},
    ingest::{IngestError, Publish, Target, Upload},
    ports::{Blobs as _, Place},
    store::{Platform, staged_key},
};

/// How much of a form may come before the file, in bytes.
const FRONT: u32 = 64 * 1024;

/// What is left of a form behind its front.
struct Rest {
    front: Front,
    /// Bytes of the front that are not the file's.
    skip: u32,
    /// Bytes from the file's first to the form's last.
    length: u32,
    boundary: Boundary,
}

/// What a client of a Polymath reads.
#[derive(Serialize)]
struct Uploaded {
    url: String,
    sha1: Sha1,
}

/// `POST /upload`.
pub async fn upload(
    request: &Request,
    env: &Env,
    config: &PackConfig,
) -> Result<Response, Failure> {
    if request.method() != Method::Post {
        return Err(edge::method_not_allowed("POST"));
    }
    let body = request.inner().body();
    let (boundary, total) = match judge_headers(request.headers()) {
        Ok(judged) => judged,
        Err(failure) => {
            drain(body).await;
            return Err(failure);
        }
    };
    let body = body.ok_or(FormError::Missing("id"))?;
    let front = Front::read(&body, FRONT).await;
    let front = front.map_err(|_| IngestError::CutOff)?;
    let (rest, token) = match judge(&front, &boundary, total, env, config).await {
        Ok((skip, length, token)) => {
            let rest = Rest {
                front,
                skip,
                length,
                boundary,
            };
            (rest, token)
        }
        Err(failure) => {
            front.drain().await;
            return Err(failure);
        }
    };
    let platform = Platform::new(env)?;
    // Where the rest of the form lies for as long as the upload takes: among the bodies whose hash
    // is not known yet.
    let aside = random_id()?;
    let result = take(&platform, rest, aside, token, env, config).await;
    // Also when it failed; what is left behind after a crash, the cron collects.
    let discarded = platform.discard(&Place::Staged(aside)).await;
    let uploaded = result?;
    discarded?;
    reply::json(200, &uploaded)
}

/// The file that `GET /pack.zip?id=<sha1>` asks for, by the name that it has below `/packs`.
pub fn file(request: &Request) -> String {
    let mut query = edge::query(request).into_iter();
    let id = query.find_map(|(key, value)| (key == "id").then_some(value));
    format!("{}.zip", id.unwrap_or_default())
}

/// Refuses by the headers what can be refused there; gives the boundary and the form's length.
fn judge_headers(headers: &Headers) -> Result<(Boundary, u64), Failure> {
    let content_type = headers.get("content-type")?.unwrap_or_default();
    let boundary = Boundary::of(&content_type)?;
    Ok((boundary, content_length(headers)?))
}

/// Reads a refused body to its end, or its client would not come to read why.
async fn drain(body: Option<ReadableStream>) {
    if let Some(body) = body
        && let Ok(front) = Front::read(&body, FRONT).await
    {
        front.drain().await;
    }
}

fn content_length(headers: &Headers) -> Result<u64, Failure> {
    let length = headers.get("content-length")?;
    length
        .and_then(|length| length.parse().ok())
        .ok_or_else(|| {
            Failure::new(
                Code::LengthRequired,
                "say how long the form is: Content-Length, not Transfer-Encoding: chunked",
            )
        })
}

fn too_large(length: u64, limit: u64) -> Failure {
    let detail = format!("the form has {length} bytes; the pack in it may have {limit} at most");
    Failure::new(Code::TooLarge, detail)
}

/// Lets a form through by its front: where the file begins, how much is to come, whose it is.
async fn judge(
    front: &Front,
    boundary: &Boundary,
    total: u64,
    env: &Env,
    config: &PackConfig,
) -> Result<(u32, u32, TokenEntry), Failure> {
    let form::Front { id, file_at } = form::front(&front.bytes(), boundary)?;
    let pack = &config.polymath_pack;
    let token = auth::identify_token(&Presented::new(id), env)?;
    auth::allow(&token, Action::PackWrite, Some(pack.as_str()))?;
    match measure(file_at, total, limit(config)) {
        Ok((skip, length)) => Ok((skip, length, token)),
        Err(failure) => Err(refuse(env, config, pack, &token.name, failure).await),
    }
}

/// Bytes before the file, and from there to the form's end, which is close behind the file.
fn measure(file_at: usize, total: u64, limit: u64) -> Result<(u32, u32), Failure> {
    let length = total.checked_sub(file_at as u64);
    let length = length.ok_or(IngestError::CutOff)?;
    if length > limit.saturating_add(form::MAX_END) {
        return Err(too_large(total, limit));
    }
    let (skip, length) = (u32::try_from(file_at).ok(), u32::try_from(length).ok());
    skip.zip(length).ok_or_else(|| too_large(total, limit))
}

/// The most bytes that a pack may have.
fn limit(config: &PackConfig) -> u64 {
    config.max_upload_bytes.min(MAX_PACK)
}

async fn take(
    platform: &Platform,
    rest: Rest,
    aside: Uuid,
    token: TokenEntry,
    env: &Env,
    config: &PackConfig,
) -> Result<Uploaded, Failure> {
    let key = staged_key(aside);
    let part = set_rest_aside(platform, &key, rest).await?;
    let limit = limit(config);
    if part.length > limit {
        let failure = too_large(part.length, limit);
        return Err(refuse(env, config, &config.polymath_pack, &token.name, failure).await);
    }
    let upload = Upload {
        target: Target {
            pack: config.polymath_pack.clone(),
            publish: Publish::Now(Channel::stable()),
            by: token.name,
            id: random_id()?,
        },
        declared: Some(part.sha1),
        length: part.length,
    };
    let body = first_of(platform, &key, part.length).await?;
    let accepted = accept(platform, env, config, &upload, body).await?;
    let record = accepted.uploaded.record;
    Ok(Uploaded {
        url: record.url,
        sha1: record.sha1,
    })
}

/// So many of the first bytes that lie there; `None` of none.
async fn first_of(
    platform: &Platform,
    key: &str,
    length: u64,
) -> Result<Option<ReadableStream>, Failure> {
    if length == 0 {
        return Ok(None);
    }
    let range = Range::OffsetWithLength { offset: 0, length };
    let object = platform.bucket.get(key).range(range).execute().await?;
    let body = object.as_ref().and_then(Object::body);
    match body.map(ObjectBody::response_body).transpose()? {
        Some(ResponseBody::Stream(stream)) => Ok(Some(stream)),
        _ => Err(Failure::internal(format!("{key} is gone"))),
    }
}

/// Stores the rest of a form if it ends as a form does; gives the file's hash and length.
async fn set_rest_aside(platform: &Platform, key: &str, rest: Rest) -> Result<Part, Failure> {
    let delimiter = rest.boundary.delimiter();
    let body = rest.front.delimited(rest.skip, &delimiter, rest.length)?;
    let metadata = HttpMetadata::default();
    let store = edge::r2::create(&platform.bucket, key, body.readable.clone(), metadata, None);
    let ends_well = |part: &Part| form::end(part.after.as_deref()).is_ok();
    let (stored, part) = join(store, body.part(ends_well)).await;
    match (stored, part) {
        (Ok(edge::r2::Stored::Yes), Ok(part)) => Ok(part),
        // That nothing was stored has its reason in how the form ends.
        (_, Ok(part)) if !ends_well(&part) => {
            form::end(part.after.as_deref())?;
            Err(IngestError::CutOff.into())
        }
        (Ok(edge::r2::Stored::CutOff), _) => Err(IngestError::CutOff.into()),
        (Ok(stored), Ok(_)) => Err(Failure::internal(format!(
            "could not stage {key}: {stored:?}"
        ))),
        (Ok(_), Err(failure)) | (Err(failure), _) => Err(failure),
    }
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        Self::new(Code::BadRequest, error.to_string())
    }
}
