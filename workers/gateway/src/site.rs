//! Static sites: the objects below `sites/<name>/` of the bucket `SITES`, as a web server shows a
//! folder (RFC 9110, sections 13 to 15).
//!
//! `/dir/` is `dir/index.html`; `/dir` leads there. What is not there is the site's `404.html`, or, of an
//! application (`spa = true`), its `index.html`. Bodies pass natively.
//!
//! There is no cache of the data centre in between: R2 is as near, a page has to be new at once after
//! a push, and what never changes stays in the browser.

mod path;

use edge::{
    Failure, conditional, not_found,
    range::{Wanted, content_range, wanted},
};
use types::{Code, site};
use worker::{Bucket, Conditional, Env, Headers, Object, Range, Response, ResponseBuilder};

use self::path::{Named, at_root, index_below, is_navigation, named};

const BINDING: &str = "SITES";
const ANY_BYTES: &str = "application/octet-stream";

/// A GET or HEAD of a site.
pub struct Wish<'a> {
    pub headers: &'a Headers,
    pub head: bool,
    pub site: &'a str,
    /// It is an application: paths that name no file are its own.
    pub spa: bool,
    /// What the route's own path is left of; it begins with a slash, or is empty.
    pub path: &'a str,
}

/// What there is.
pub enum Found {
    Answer(Response),
    /// A folder, asked for without the slash at its end.
    Folder,
}

/// Answers from the bucket.
pub async fn answer(env: &Env, wish: Wish<'_>) -> Result<Found, Failure> {
    let asked = Asked {
        bucket: env.bucket(BINDING)?,
        wish,
    };
    let found = match named(asked.wish.site, asked.wish.path) {
        Some(Named::Index(key)) => asked.object(&key).await?,
        Some(Named::File(key)) => match asked.object(&key).await? {
            None if asked.is_folder(&key).await? => return Ok(Found::Folder),
            found => found,
        },
        None if asked.is_bare_root().await? => return Ok(Found::Folder),
        None => None,
    };
    match found {
        Some(response) => Ok(Found::Answer(response)),
        None => asked.missing().await.map(Found::Answer),
    }
}

/// A request and where its answer lies. `None` is that there is no such object.
struct Asked<'a> {
    bucket: Bucket,
    wish: Wish<'a>,
}

impl Asked<'_> {
    /// An object, as far as the request's conditions and range want it.
    async fn object(&self, key: &str) -> Result<Option<Response>, Failure> {
        let range = self.wish.headers.get("range")?;
        if self.wish.head || range.is_some() || self.wish.headers.has("if-none-match")? {
            let Some(object) = self.bucket.head(key).await? else {
                return Ok(None);
            };
            if let Some(answer) = self.by_head(&object, range.as_deref()).await? {
                return Ok(Some(answer));
            }
        }
        self.whole(key, 200).await
    }

    /// What is answered without the whole body; `None` when the whole it is.
    async fn by_head(
        &self,
        object: &Object,
        range: Option<&str>,
    ) -> Result<Option<Response>, Failure> {
        let (tag, size) = (object.http_etag(), object.size());
        if conditional::none_match_names(self.wish.headers, &tag) {
            return Ok(Some(head_of(object)?.with_status(304).empty()));
        }
        if self.wish.head {
            let head = head_of(object)?.with_header("Content-Length", &size.to_string())?;
            return Ok(Some(head.empty()));
        }
        if !conditional::if_range_allows(self.wish.headers, &tag) {
            return Ok(None);
        }
        match wanted(range, size) {
            Wanted::Whole => Ok(None),
            Wanted::Part { offset, length } => self.part(object, offset, length).await,
            Wanted::Unsatisfiable => {
                let detail = format!("the file has {size} bytes; the range asks for none of them");
                Err(Failure::new(Code::RangeNotSatisfiable, detail)
                    .with_header("Content-Range", format!("bytes */{size}")))
            }
        }
    }

    /// A part of this very object; `None` when it has been replaced since.
    async fn part(
        &self,
        object: &Object,
        offset: u64,
        length: u64,
    ) -> Result<Option<Response>, Failure> {
        let same = Conditional {
            etag_matches: Some(object.etag()),
            ..Conditional::default()
        };
        let get = self.bucket.get(object.key()).only_if(same);
        let get = get.range(Range::OffsetWithLength { offset, length });
        let part = get.execute().await?;
        let Some(body) = part.as_ref().and_then(Object::body) else {
            return Ok(None);
        };
        let head = head_of(object)?
            .with_status(206)
            .with_header(
                "Content-Range",
                &content_range(offset, length, object.size()),
            )?
            .with_header("Content-Length", &length.to_string())?;
        Ok(Some(head.body(body.response_body()?)))
    }

    async fn whole(&self, key: &str, status: u16) -> Result<Option<Response>, Failure> {
        let Some(object) = self.bucket.get(key).execute().await? else {
            return Ok(None);
        };
        let body = object.body().ok_or_else(|| Failure::internal("no body"))?;
        let head = head_of(&object)?
            .with_status(status)
            .with_header("Content-Length", &object.size().to_string())?;
        Ok(Some(head.body(body.response_body()?)))
    }

    /// Whether there is an index document below this key.
    async fn is_folder(&self, key: &str) -> Result<bool, Failure> {
        match index_below(key) {
            Some(index) => Ok(self.bucket.head(index).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Whether the path is the site's root without its slash.
    async fn is_bare_root(&self) -> Result<bool, Failure> {
        let Wish { site, path, .. } = self.wish;
        if !path.is_empty() {
            return Ok(false);
        }
        Ok(self
            .bucket
            .head(at_root(site, "index.html"))
            .await?
            .is_some())
    }

    /// What is shown for a path that names nothing.
    async fn missing(&self) -> Result<Response, Failure> {
        let accept = self.wish.headers.get("accept")?;
        let Wish {
            site, spa, path, ..
        } = self.wish;
        if spa
            && is_navigation(path, accept.as_deref())
            && let Some(page) = self.object(&at_root(site, "index.html")).await?
        {
            return Ok(page);
        }
        let key = at_root(site, "404.html");
        let page = if self.wish.head {
            self.bucket
                .head(key)
                .await?
                .map(|object| Ok(head_of(&object)?.with_status(404).empty()))
        } else {
            self.whole(&key, 404).await?.map(Ok)
        };
        let page = page.unwrap_or_else(|| Err(not_found("such page here")))?;
        // Nothing that is not there has a tag or a part.
        page.headers().delete("ETag")?;
        page.headers().delete("Accept-Ranges")?;
        Ok(page)
    }
}

/// The headers that every answer about an object has.
fn head_of(object: &Object) -> Result<ResponseBuilder, Failure> {
    let (key, metadata) = (object.key(), object.http_metadata());
    let said = metadata.content_type.filter(|kind| kind != ANY_BYTES);
    let kind = match &said {
        Some(kind) => kind,
        None => site::media_type(&key).unwrap_or(ANY_BYTES),
    };
    let of_name = || site::cache_control(&key).to_owned();
    let cache_control = metadata.cache_control.unwrap_or_else(of_name);
    Ok(ResponseBuilder::new()
        .with_header("ETag", &object.http_etag())?
        .with_header("Content-Type", kind)?
        .with_header("Cache-Control", &cache_control)?
        .with_header("Accept-Ranges", "bytes")?)
}
