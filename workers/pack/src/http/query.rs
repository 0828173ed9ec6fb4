//! What paths and queries say.

use edge::Failure;
use types::{Channel, Code, PackName, Sha1};
use uuid::Uuid;
use worker::Request;

use crate::render::Format;

/// What `GET /api/pack/latest` takes.
pub const LATEST: &[&str] = &["pack", "channel", "format", "protocol", "version"];
/// What `PUT /api/packs/<pack>` takes.
pub const UPLOAD: &[&str] = &["channel", "publish"];
/// What `POST /api/packs/gc` takes.
pub const COLLECT: &[&str] = &["dry_run"];

/// The parameters that routes share, with their defaults.
pub struct Query {
    pub pack: PackName,
    pub channel: Channel,
    pub publish: bool,
    pub dry_run: bool,
    pub format: Format,
    pub protocol: Option<String>,
    pub version: Option<String>,
}

impl Query {
    /// Reads the parameters that a route takes; it ignores all others, whatever they say.
    pub fn read(request: &Request, takes: &[&str]) -> Result<Self, Failure> {
        let mut query = Self {
            pack: PackName::main(),
            channel: Channel::stable(),
            publish: true,
            dry_run: false,
            format: Format::Json,
            protocol: None,
            version: None,
        };
        let query_of = edge::query(request).into_iter();
        for (key, value) in query_of.filter(|(key, _)| takes.contains(&key.as_str())) {
            let bad = |problem: String| Failure::new(Code::BadRequest, format!("{key}: {problem}"));
            match key.as_str() {
                "pack" => query.pack = value.parse().map_err(|error| bad(format!("{error}")))?,
                "channel" => {
                    query.channel = value.parse().map_err(|error| bad(format!("{error}")))?;
                }
                "publish" => query.publish = flag(&value).map_err(bad)?,
                "dry_run" => query.dry_run = flag(&value).map_err(bad)?,
                "format" => {
                    query.format = value.parse().map_err(|error| bad(format!("{error}")))?;
                }
                "protocol" => query.protocol = Some(value),
                "version" => query.version = Some(value),
                _ => {}
            }
        }
        Ok(query)
    }
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

/// The pack that a path names.
pub fn pack_name(text: &str) -> Result<PackName, Failure> {
    text.parse()
        .map_err(|error| Failure::new(Code::BadRequest, format!("pack: {error}")))
}

/// The hash that a path names.
pub fn sha1(text: &str) -> Result<Sha1, Failure> {
    text.parse()
        .map_err(|error| Failure::new(Code::BadRequest, format!("sha1: {error}")))
}

/// The upload that a path names.
pub fn upload_id(text: &str) -> Result<Uuid, Failure> {
    text.parse()
        .map_err(|_| Failure::new(Code::BadRequest, "an upload's id is a uuid"))
}

/// The channel that a path names.
pub fn channel_name(text: &str) -> Result<Channel, Failure> {
    text.parse()
        .map_err(|error| Failure::new(Code::BadRequest, format!("channel: {error}")))
}
