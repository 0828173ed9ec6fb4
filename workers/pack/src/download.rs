//! The download: bytes by their hash, natively streamed (RFC 9110, sections 13 to 15).
//!
//! The data centre keeps a copy (`edge::cache`) under the pack's one address, whatever a request
//! says beside it, so that the players who all join after a restart read R2 once or twice and not
//! each. The Cache API and not a cache before the worker: only so is every download counted. HEAD and
//! conditions are answered from R2, which costs as little, and from the copy where R2 has or says
//! nothing: they say what GET does.

use edge::{
    Failure,
    cache::{self, Fills, Miss},
    conditional, not_found,
    range::{Wanted, content_range, wanted},
    stream,
};
use types::{Code, Sha1, config::PackConfig};
use worker::{
    Bucket, Context, Env, Headers, Method, Object, Range, Request, Response, ResponseBuilder,
};

use crate::{
    registry::download_url,
    stats,
    store::{Platform, blob_key},
};

/// How long a data centre may answer from its copy before it looks in R2 again: what an operator
/// has deleted is gone from everywhere a day later.
const COPIED_FOR: &str = "public, max-age=86400";

/// Up to this size, in bytes, the request that fills the cache waits for it and then reads the copy:
/// R2 is read once. A larger pack it reads from R2 a second time, rather than let every player wait
/// for the whole before the first byte comes. The others of a burst wait for the copy (`Fills::wait`).
const SMALL: u64 = 8 * 1024 * 1024;

thread_local! {
    static FILLS: Fills = Fills::default();
}

/// `GET /packs/<sha1>.zip`, and HEAD.
pub async fn answer(
    request: &Request,
    env: &Env,
    context: &Context,
    config: &PackConfig,
    file: &str,
) -> Result<Response, Failure> {
    let sha1: Option<Sha1> = file.strip_suffix(".zip").and_then(|hex| hex.parse().ok());
    let sha1 = sha1.ok_or_else(|| gone(file))?;
    let blob = Blob {
        bucket: Platform::new(env)?.bucket,
        key: blob_key(&sha1),
        tag: format!("\"{sha1}\""),
        address: download_url(&config.public_url, &sha1),
    };
    let headers = request.headers();
    let head = request.method() == Method::Head;
    let range = headers
        .get("range")?
        .filter(|_| !head && conditional::if_range_allows(headers, &blob.tag));
    let answer = if conditional::none_match_names(headers, &blob.tag) {
        blob.without_body(304).await?
    } else if head {
        blob.without_body(200).await?
    } else if let Some(range) = range {
        blob.ranged(&range, context).await?
    } else {
        blob.whole(context).await?
    };
    // A condition, HEAD and 206 are no download.
    let whole = answer
        .as_ref()
        .is_some_and(|answer| answer.status_code() == 200);
    if whole && !head {
        stats::count(sha1, headers, env, context);
    }
    answer.ok_or_else(|| gone(file))
}

fn gone(file: &str) -> Failure {
    let file: String = file.chars().take(60).collect();
    not_found(&format!("resource pack {file:?}"))
}

/// One pack's bytes: where they lie, and under which address the data centre keeps a copy.
///
/// `None` is that there are no such bytes.
struct Blob {
    bucket: Bucket,
    key: String,
    tag: String,
    address: String,
}

impl Blob {
    /// From R2; else, as GET is answered, from the copy.
    async fn without_body(&self, status: u16) -> Result<Option<Response>, Failure> {
        let object = self.bucket.head(&self.key).await;
        let (disposition, length) = if let Ok(Some(object)) = &object {
            let metadata = object.http_metadata();
            (
                metadata.content_disposition,
                Some(object.size().to_string()),
            )
        } else if let Some(found) = cache::find(&self.address, None).await {
            let of_copy = found.headers();
            let disposition = of_copy.get("content-disposition")?;
            let length = of_copy.get("content-length")?;
            stream::dismiss(found).await;
            (disposition, length)
        } else {
            object?;
            return Ok(None);
        };
        let head = self.head(disposition.as_deref())?.with_status(status);
        match length.filter(|_| status != 304) {
            Some(length) => Ok(Some(head.with_header("Content-Length", &length)?.empty())),
            None => Ok(Some(head.empty())),
        }
    }

    /// The whole: from the cache, else from R2 and into the cache.
    async fn whole(&self, context: &Context) -> Result<Option<Response>, Failure> {
        if let Some(response) = self.cached(None).await? {
            return Ok(Some(response));
        }
        let fills = FILLS.with(Fills::clone);
        let waits = match fills.missed(&self.address) {
            Miss::GoWithout => false,
            Miss::Wait => true,
            Miss::Fill => match self.fill(&fills, context).await {
                Ok(Some(size)) => size <= SMALL,
                failed => {
                    fills.ended(&self.address);
                    return failed.map(|_| None);
                }
            },
        };
        if waits && let Some(found) = fills.wait(&self.address).await {
            return self.copy(&found, None).map(Some);
        }
        let Some(object) = self.bucket.get(&self.key).execute().await? else {
            return Ok(None);
        };
        self.answer(&object).map(Some)
    }

    /// Begins to fill the cache, beside this request; gives the size.
    async fn fill(&self, fills: &Fills, context: &Context) -> Result<Option<u64>, Failure> {
        let Some(object) = self.bucket.get(&self.key).execute().await? else {
            return Ok(None);
        };
        let copy = self.answer(&object)?;
        copy.headers().set("Cache-Control", COPIED_FOR)?;
        fills.expects(&self.address, object.size());
        let (fills, address) = (fills.clone(), self.address.clone());
        context.wait_until(async move { fills.fill(&address, copy).await });
        Ok(Some(object.size()))
    }

    /// All of it from R2.
    fn answer(&self, object: &Object) -> Result<Response, Failure> {
        let body = object.body().ok_or_else(|| Failure::internal("no body"))?;
        let head = self
            .head(object.http_metadata().content_disposition.as_deref())?
            .with_header("Content-Length", &object.size().to_string())?;
        Ok(head.body(body.response_body()?))
    }

    /// One range: from the cache if it has it, and means the same by it; else from R2.
    async fn ranged(&self, range: &str, context: &Context) -> Result<Option<Response>, Failure> {
        if wanted(Some(range), u64::MAX) == Wanted::Whole {
            return self.whole(context).await;
        }
        if let Some(response) = self.cached(Some(range)).await? {
            return Ok(Some(response));
        }
        let Some(object) = self.bucket.head(&self.key).await? else {
            return Ok(None);
        };
        let size = object.size();
        match wanted(Some(range), size) {
            Wanted::Whole => self.whole(context).await,
            Wanted::Part { offset, length } => {
                let head = self
                    .head(object.http_metadata().content_disposition.as_deref())?
                    .with_status(206)
                    .with_header("Content-Range", &content_range(offset, length, size))?
                    .with_header("Content-Length", &length.to_string())?;
                let range = Range::OffsetWithLength { offset, length };
                let object = self.bucket.get(&self.key).range(range).execute().await?;
                match object.as_ref().and_then(Object::body) {
                    Some(body) => Ok(Some(head.body(body.response_body()?))),
                    None => Ok(None),
                }
            }
            Wanted::Unsatisfiable => {
                let detail = format!("the pack has {size} bytes; the range asks for none of them");
                Err(Failure::new(Code::RangeNotSatisfiable, detail)
                    .with_header("Content-Range", format!("bytes */{size}")))
            }
        }
    }

    /// The answer as the cache has it. What it makes of a range is taken only if it is what
    /// [`wanted`] says; a suffix longer than the pack, for one, is not.
    async fn cached(&self, range: Option<&str>) -> Result<Option<Response>, Failure> {
        let Some(found) = cache::find(&self.address, range).await else {
            return Ok(None);
        };
        let said = found.headers().get("content-range")?;
        let status = found.status_code();
        let fits = match (range, said.as_deref()) {
            (None, None) => status == 200,
            (Some(range), Some(said)) => status == 206 && means(range, said),
            _ => false,
        };
        if !fits {
            stream::dismiss(found).await;
            return Ok(None);
        }
        self.copy(&found, said.as_deref()).map(Some)
    }

    /// What the cache gave, with the headers that R2's answer has and no others.
    fn copy(&self, found: &Response, content_range: Option<&str>) -> Result<Response, Failure> {
        let of_copy = found.headers();
        let disposition = of_copy.get("content-disposition")?;
        let mut head = self
            .head(disposition.as_deref())?
            .with_status(found.status_code());
        if let Some(length) = of_copy.get("content-length")? {
            head = head.with_header("Content-Length", &length)?;
        }
        if let Some(content_range) = content_range {
            head = head.with_header("Content-Range", content_range)?;
        }
        Ok(head.body(found.body().clone()))
    }

    /// The headers that every answer about these bytes has: they never change.
    fn head(&self, disposition: Option<&str>) -> Result<ResponseBuilder, Failure> {
        let headers = Headers::new();
        headers.set("ETag", &self.tag)?;
        headers.set("Cache-Control", "public, max-age=31536000, immutable")?;
        headers.set("Accept-Ranges", "bytes")?;
        headers.set("Content-Type", "application/zip")?;
        if let Some(disposition) = disposition {
            headers.set("Content-Disposition", disposition)?;
        }
        Ok(ResponseBuilder::new().with_headers(headers))
    }
}

/// Whether the `Content-Range` of an answer is the one that a `Range` asks for.
fn means(range: &str, said: &str) -> bool {
    let size = said
        .rsplit_once('/')
        .and_then(|(_, size)| size.parse().ok());
    size.is_some_and(|size| match wanted(Some(range), size) {
        Wanted::Part { offset, length } => said == content_range(offset, length, size),
        Wanted::Whole | Wanted::Unsatisfiable => false,
    })
}
