//! Uploads in parts: `/api/uploads`.

use edge::{Failure, auth, body, clock, log, reply};
use serde::Serialize;
use serde_json::Value;
use types::{
    Code, PackName, Timestamp,
    config::PackConfig,
    token::{Action, TokenEntry},
};
use uuid::Uuid;
use worker::{Env, Request, Response, ResponseBuilder};

use super::{
    query::upload_id,
    upload::{content_length, random_id, refuse},
};
use crate::{
    ingest::IngestError,
    jobs::{self, Job},
    ports::Uploads as _,
    store::Platform,
    uploads::{
        AT_ONCE, NewUpload, Part, Record, Source, State,
        flow::{self, Completed, Verdict},
    },
};

#[derive(Serialize)]
struct Created {
    id: Uuid,
    part_size: u64,
    parts: u32,
    expires_at: Timestamp,
}

/// `POST /api/uploads`.
pub async fn create(
    request: &Request,
    env: &Env,
    config: &PackConfig,
) -> Result<Response, Failure> {
    let token = auth::identify(request.headers(), env)?;
    let asked: NewUpload = body::json(request).await?;
    auth::allow(&token, Action::PackWrite, Some(asked.pack.as_str()))?;
    let limit = config.max_upload_bytes;
    let (pack, by) = (asked.pack.clone(), token.name.clone());
    let record = match Record::in_parts(asked, random_id()?, token.name, clock::now(), limit) {
        Ok(record) => record,
        Err(refused) => return Err(refuse(env, config, &pack, &by, refused.into()).await),
    };
    if !Platform::new(env)?.save_upload(&record, None).await? {
        return Err(Failure::internal("a random id was taken"));
    }
    let part_size = match record.source {
        Source::Parts { part_size } => part_size,
        Source::Incoming { .. } => record.size,
    };
    let created = Created {
        id: record.id,
        part_size,
        parts: record.parts(),
        expires_at: record.expires_at,
    };
    reply::json(201, &created)
}

/// An upload that the token may touch.
async fn find(
    request: &Request,
    env: &Env,
    platform: &Platform,
    id: &str,
) -> Result<Record, Failure> {
    let token: TokenEntry = auth::identify(request.headers(), env)?;
    let (record, _) = flow::load(platform, upload_id(id)?, clock::now()).await?;
    auth::allow(&token, Action::PackWrite, Some(record.pack.as_str()))?;
    Ok(record)
}

#[derive(Serialize)]
struct PartStored {
    part: u32,
    etag: String,
}

/// `PUT /api/uploads/<id>/parts/<n>`.
pub async fn put(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    id: &str,
    part: &str,
) -> Result<Response, Failure> {
    let platform = Platform::new(env)?;
    let record = find(request, env, &platform, id).await?;
    let number = part_number(part)?;
    let length = content_length(request.headers(), config)?;
    let body = request.inner().body();
    let stored = flow::put_part(&platform, &record, number, length, body, clock::now).await?;
    reply::json(
        200,
        &PartStored {
            part: stored.number,
            etag: stored.etag,
        },
    )
}

/// The number of a part, in decimal digits.
fn part_number(text: &str) -> Result<u32, Failure> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| {
        let detail = format!("{text:?} is not the number of a part");
        Failure::new(Code::BadRequest, detail)
    })
}

/// An upload as its owner sees it.
#[derive(Serialize)]
struct Shown {
    id: Uuid,
    state: State,
    pack: PackName,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    part_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    /// The key of an object that was put into the bucket directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    received: Vec<Part>,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<Value>,
}

fn show(record: Record, received: Vec<Part>) -> Shown {
    let parts = record.parts();
    let (part_size, key) = match record.source {
        Source::Parts { part_size } => (Some(part_size), None),
        Source::Incoming { key, .. } => (None, Some(key)),
    };
    Shown {
        id: record.id,
        state: record.state,
        pack: record.pack,
        size: record.size,
        part_size,
        parts: part_size.map(|_| parts),
        key,
        received,
        expires_at: record.expires_at,
        reason: record.reason,
        release: record.uploaded,
    }
}

/// `GET /api/uploads/<id>`.
pub async fn state(request: &Request, env: &Env, id: &str) -> Result<Response, Failure> {
    let platform = Platform::new(env)?;
    let record = find(request, env, &platform, id).await?;
    let received = platform.parts(record.id).await?;
    reply::json(200, &show(record, received))
}

#[derive(Serialize)]
struct Listed {
    uploads: Vec<Shown>,
}

/// The uploads that a listing looks at.
const LISTED: usize = 100;

/// `GET /api/uploads`: those that the token may touch, newest first, direct uploads too.
pub async fn list(request: &Request, env: &Env) -> Result<Response, Failure> {
    let token = auth::identify(request.headers(), env)?;
    let (platform, now) = (Platform::new(env)?, clock::now());
    let mut uploads = Vec::new();
    for id in platform.upload_ids(LISTED).await? {
        let record = match platform.load_upload(id).await {
            Ok(Some((record, _))) => record,
            Ok(None) => continue,
            Err(error) => {
                log::error("upload", &error.0);
                continue;
            }
        };
        let allowed = token.allows(Action::PackWrite, Some(record.pack.as_str()));
        if allowed.is_ok() && !record.is_forgotten(now) {
            uploads.push(record);
        }
    }
    uploads.sort_by_key(|record| std::cmp::Reverse(record.created_at.as_seconds()));
    let uploads = uploads.into_iter().map(|record| show(record, Vec::new()));
    reply::json(
        200,
        &Listed {
            uploads: uploads.collect(),
        },
    )
}

/// `DELETE /api/uploads/<id>`.
pub async fn abort(request: &Request, env: &Env, id: &str) -> Result<Response, Failure> {
    let platform = Platform::new(env)?;
    let record = find(request, env, &platform, id).await?;
    flow::abort(&platform, record.id, clock::now()).await?;
    Ok(ResponseBuilder::new().with_status(204).empty())
}

/// `POST /api/uploads/<id>/complete`: 201 with the release, or 202 while it is being verified.
pub async fn complete(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    id: &str,
) -> Result<Response, Failure> {
    let platform = Platform::new(env)?;
    let record = find(request, env, &platform, id).await?;
    let record = match flow::complete(&platform, record.id, clock::now()).await? {
        Completed::Over(record) => return outcome(record),
        Completed::Underway(record) => return reply::json(202, &show(record, Vec::new())),
        Completed::ToVerify(record) => record,
    };
    if record.size > AT_ONCE {
        match jobs::send(env, &Job::Verify { upload: record.id }).await {
            Ok(()) => return reply::json(202, &show(record, Vec::new())),
            // Without the queue the client waits.
            Err(failure) => log::warn("queue", &failure.into_message()),
        }
    }
    match jobs::verify(&platform, config, &record).await {
        Ok(Verdict::Ready { uploaded, .. }) => reply::json(201, &uploaded),
        Ok(Verdict::Rejected { reason }) => Err(Failure::new(Code::Unprocessable, reason)),
        Ok(Verdict::Gone) => Err(edge::not_found("such upload any more")),
        Err(IngestError::Gone) => Err(IngestError::Gone.into()),
        Err(error) => {
            // Time may mend it: it is tried again without the client.
            jobs::send(env, &Job::Verify { upload: record.id }).await?;
            log::error("upload", &Failure::from(error).into_message());
            reply::json(202, &show(record, Vec::new()))
        }
    }
}

/// What came of an upload that was completed before.
fn outcome(record: Record) -> Result<Response, Failure> {
    match (record.uploaded, record.reason) {
        (Some(uploaded), _) => reply::json(201, &uploaded),
        (None, Some(reason)) => Err(Failure::new(Code::Unprocessable, reason)),
        (None, None) => Err(Failure::internal("an upload that is over came to nothing")),
    }
}
