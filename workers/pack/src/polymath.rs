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
    Failure, auth, clock, random_bytes, reply,
    stream::{Front, Part},
};
use futures::future::join;
use serde::Serialize;
use types::{
    Channel, Code, Sha1,
    config::PackConfig,
    token::{Action, Presented, TokenEntry},
};
use uuid::{Builder, Uuid};
use worker::{
    Env, Headers, HttpMetadata, Method, Object, ObjectBody, Range, Request, Response, ResponseBody,
};

use self::form::{Boundary, FormError};
use crate::{
    archive::MAX_PACK,
    ingest::{self, IngestError, Upload},
    ports::{Place, Store as _},
    registry::Author,
    store::{self, Platform},
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
    let headers = request.headers();
    let content_type = headers.get("content-type")?.unwrap_or_default();
    let boundary = Boundary::of(&content_type)?;
    let total = content_length(headers)?;
    let limit = config.max_upload_bytes.min(MAX_PACK);
    if total > limit.saturating_add(FRONT.into()) {
        return Err(too_large(total, limit));
    }
    let body = request.inner().body().ok_or(FormError::Missing("id"))?;
    let front = Front::read(&body, FRONT).await;
    let front = front.map_err(|_| IngestError::CutOff)?;
    let (rest, token) = match judge(&front, &boundary, total, limit, env, config) {
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
    let id = Builder::from_random_bytes(random_bytes()?).into_uuid();
    let platform = Platform::new(env)?;
    let result = take(&platform, rest, id, token, config).await;
    // Also when it failed; what is left behind after a crash, the cron collects.
    let discarded = platform.discard(&set_aside(id)).await;
    let uploaded = result?;
    discarded.map_err(IngestError::Store)?;
    reply::json(200, &uploaded)
}

/// The file that `GET /pack.zip?id=<sha1>` asks for, by the name that it has below `/packs`.
pub fn file(request: &Request) -> String {
    let mut query = edge::query(request).into_iter();
    let id = query.find_map(|(key, value)| (key == "id").then_some(value));
    format!("{}.zip", id.unwrap_or_default())
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
fn judge(
    front: &Front,
    boundary: &Boundary,
    total: u64,
    limit: u64,
    env: &Env,
    config: &PackConfig,
) -> Result<(u32, u32, TokenEntry), Failure> {
    let form::Front { id, file_at } = form::front(&front.bytes(), boundary)?;
    let pack = config.polymath_pack.as_str();
    let token = auth::require_of(&Presented::new(id), env, Action::PackWrite, Some(pack))?;
    let skip = u32::try_from(file_at).ok();
    let length = total.checked_sub(file_at as u64);
    let length = length.ok_or(IngestError::CutOff)?;
    if length > limit.saturating_add(form::MAX_END) {
        return Err(too_large(total, limit));
    }
    let length = u32::try_from(length).ok();
    let (skip, length) = skip.zip(length).ok_or_else(|| too_large(total, limit))?;
    Ok((skip, length, token))
}

/// Where the rest of a form lies for as long as the upload takes: among the bodies whose hash is
/// not known yet.
fn set_aside(id: Uuid) -> Place {
    Place::Staged(format!("{id}-form"))
}

async fn take(
    platform: &Platform,
    rest: Rest,
    id: Uuid,
    token: TokenEntry,
    config: &PackConfig,
) -> Result<Uploaded, Failure> {
    let key = store::key(&set_aside(id));
    let part = set_rest_aside(platform, &key, rest).await?;
    if part.length > config.max_upload_bytes.min(MAX_PACK) {
        return Err(too_large(
            part.length,
            config.max_upload_bytes.min(MAX_PACK),
        ));
    }
    let file = match part.length {
        0 => None,
        length => {
            let range = Range::OffsetWithLength { offset: 0, length };
            platform.bucket.get(&key).range(range).execute().await?
        }
    };
    let body = file.as_ref().and_then(Object::body);
    let body = match body.map(ObjectBody::response_body).transpose()? {
        Some(ResponseBody::Stream(stream)) => Some(stream),
        _ => None,
    };
    let upload = Upload {
        pack: config.polymath_pack.clone(),
        channel: Channel::stable(),
        publish: true,
        declared: Some(part.sha1),
        length: part.length,
        author: Author {
            name: token.name,
            at: clock::now(),
        },
        id,
    };
    let accepted = ingest::upload(platform, &upload, body, &config.public_url).await?;
    let record = accepted.uploaded.record;
    Ok(Uploaded {
        url: record.url,
        sha1: record.sha1,
    })
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
