//! Requests in, answers out.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use edge::{
    Audience, ErrorFormat, Failure, auth, clock, method_not_allowed, not_found, random_bytes, reply,
};
use types::{
    Channel, Code, PackName, Sha1,
    config::PackConfig,
    pack::{PackSummary, Packs},
    token::Action,
};
use uuid::Builder;
use worker::{Context, Env, Headers, Method, Request, Response};

use crate::{
    archive::MAX_PACK,
    download,
    ingest::{self, IngestError, Upload},
    latest,
    registry::{Author, Registry},
    stats,
    store::Platform,
    variant::Client,
};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Latest,
    Packs,
    Pack(String),
    Stats(String),
    Upload(String),
    Download(String),
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Latest => "GET /api/pack/latest",
            Self::Packs => "GET /api/packs",
            Self::Pack(_) => "GET /api/packs/<pack>",
            Self::Stats(_) => "GET /api/packs/<pack>/stats",
            Self::Upload(_) => "PUT /api/packs/<pack>",
            Self::Download(_) => "GET /packs/<sha1>.zip",
        }
    }

    fn audience(&self) -> Audience {
        match self {
            Self::Upload(_) => Audience::Operator,
            Self::Latest | Self::Packs | Self::Pack(_) | Self::Stats(_) | Self::Download(_) => {
                Audience::Public
            }
        }
    }

    fn errors(&self) -> ErrorFormat {
        match self {
            Self::Download(_) => ErrorFormat::Line,
            _ => ErrorFormat::Problem,
        }
    }
}

/// Finds the route.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    match (path, method) {
        (["api", "pack", "latest"], Method::Get) => Ok(Route::Latest),
        (["api", "packs"], Method::Get) => Ok(Route::Packs),
        (["api", "packs", pack], Method::Get) => Ok(Route::Pack((*pack).to_owned())),
        (["api", "packs", pack, "stats"], Method::Get) => Ok(Route::Stats((*pack).to_owned())),
        (["api", "packs", pack], Method::Put) => Ok(Route::Upload((*pack).to_owned())),
        (["packs", file], Method::Get) => Ok(Route::Download((*file).to_owned())),
        (["api", "packs", _], _) => Err(method_not_allowed("GET, HEAD, PUT")),
        (
            ["api", "pack", "latest"]
            | ["api", "packs"]
            | ["api", "packs", _, "stats"]
            | ["packs", _],
            _,
        ) => Err(method_not_allowed("GET, HEAD")),
        _ => Err(not_found("such path")),
    }
}

/// Serves it.
pub async fn run(
    route: &Route,
    request: &Request,
    env: &Env,
    context: &Context,
    config: &PackConfig,
) -> Result<Response, Failure> {
    match route {
        Route::Latest => {
            let query = Query::read(request)?;
            let (protocol, version) = (query.protocol.as_deref(), query.version.as_deref());
            let asked = latest::Asked {
                client: Client::read(protocol, version)
                    .map_err(|error| Failure::new(Code::BadRequest, error))?,
                pack: query.pack,
                channel: query.channel,
            };
            latest::answer(request, env, config, &asked).await
        }
        Route::Packs => packs(request.headers(), env).await,
        Route::Pack(name) => pack(request.headers(), env, name).await,
        Route::Stats(name) => stats::answer(request, env, &pack_name(name)?).await,
        Route::Upload(name) => upload(request, env, config, name).await,
        Route::Download(file) => download::answer(request, env, context, config, file).await,
    }
}

/// The parameters that routes share, with their defaults.
struct Query {
    pack: PackName,
    channel: Channel,
    publish: bool,
    protocol: Option<String>,
    version: Option<String>,
}

impl Query {
    fn read(request: &Request) -> Result<Self, Failure> {
        let mut query = Self {
            pack: PackName::main(),
            channel: Channel::stable(),
            publish: true,
            protocol: None,
            version: None,
        };
        for (key, value) in edge::query(request) {
            let bad = |problem: String| Failure::new(Code::BadRequest, format!("{key}: {problem}"));
            match key.as_str() {
                "pack" => query.pack = value.parse().map_err(|error| bad(format!("{error}")))?,
                "channel" => {
                    query.channel = value.parse().map_err(|error| bad(format!("{error}")))?;
                }
                "publish" => {
                    query.publish = value
                        .parse()
                        .map_err(|_| bad("must be true or false".to_owned()))?;
                }
                "protocol" => query.protocol = Some(value),
                "version" => query.version = Some(value),
                _ => {}
            }
        }
        Ok(query)
    }
}

fn pack_name(text: &str) -> Result<PackName, Failure> {
    text.parse()
        .map_err(|error| Failure::new(Code::BadRequest, format!("pack: {error}")))
}

async fn packs(headers: &Headers, env: &Env) -> Result<Response, Failure> {
    let names = Platform::new(env)?.packs().await?;
    let packs = Packs {
        packs: names.into_iter().map(|pack| PackSummary { pack }).collect(),
    };
    let body = serde_json::to_vec(&packs).map_err(|error| Failure::internal(error.to_string()))?;
    reply::tagged(headers, &reply::tag_of(&body), reply::JSON, || Ok(body))
}

async fn pack(headers: &Headers, env: &Env, name: &str) -> Result<Response, Failure> {
    let name = pack_name(name)?;
    let stored = Platform::new(env)?.registry_text(&name).await?;
    let stored = stored.ok_or_else(|| not_found(&format!("pack \"{name}\"")))?;
    reply::tagged(
        headers,
        &format!("\"{}\"", stored.etag),
        reply::JSON,
        || {
            let registry: Registry = serde_json::from_str(&stored.text)
                .map_err(|error| Failure::internal(format!("registry of {name}: {error}")))?;
            serde_json::to_vec(registry.pack())
                .map_err(|error| Failure::internal(error.to_string()))
        },
    )
}

/// Refuses on the headers whatever can be refused there, before a byte of the body is read.
async fn upload(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    name: &str,
) -> Result<Response, Failure> {
    let headers = request.headers();
    let token = auth::require(headers, env, Action::PackWrite, Some(name))?;
    let query = Query::read(request)?;
    let upload = Upload {
        pack: pack_name(name)?,
        channel: query.channel,
        publish: query.publish,
        declared: declared_sha1(headers)?,
        length: content_length(headers, config)?,
        author: Author {
            name: token.name,
            at: clock::now(),
        },
        id: Builder::from_random_bytes(random_bytes()?).into_uuid(),
    };
    let body = request.inner().body();
    let accepted = ingest::upload(&Platform::new(env)?, &upload, body, &config.public_url).await?;
    reply::json(if accepted.new { 201 } else { 200 }, &accepted.uploaded)
}

fn content_length(headers: &Headers, config: &PackConfig) -> Result<u64, Failure> {
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

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Refused(refusal) => Self::new(Code::Unprocessable, refusal.to_string()),
            IngestError::WrongHash { declared } => Self::new(
                Code::Unprocessable,
                format!(
                    "what arrived does not have the declared SHA-1 {declared}; nothing was stored"
                ),
            ),
            IngestError::CutOff => Self::new(
                Code::BadRequest,
                "the connection broke before the whole body had come; nothing was stored, send it again",
            ),
            IngestError::Busy => {
                let detail = "others are changing this pack at the same time; send it again";
                Self::new(Code::Unavailable, detail).with_header("Retry-After", "2")
            }
            IngestError::NotAnnounced(error) => {
                edge::log::error("kv", &error.0);
                let detail =
                    "it is published, but readers may get the previous release; send it again";
                Self::new(Code::Unavailable, detail).with_header("Retry-After", "2")
            }
            IngestError::Store(error) => Self::internal(error.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use edge::Route as _;

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

    #[test]
    fn routes_are_found_and_methods_checked() {
        assert_eq!(
            parse(&Method::Put, &["api", "packs", "main"]).unwrap(),
            Route::Upload("main".to_owned())
        );
        assert_eq!(
            parse(&Method::Get, &["packs", "x.zip"]).unwrap().name(),
            "GET /packs/<sha1>.zip"
        );
        let (problem, headers) = parse(&Method::Delete, &["api", "packs", "main"])
            .unwrap_err()
            .into_problem();
        assert_eq!(
            (problem.status, headers),
            (405, vec![("Allow", "GET, HEAD, PUT".to_owned())])
        );
        for unknown in [
            &["api"][..],
            &["api", "packs", "main", ""],
            &["api", "pack"],
            &["packs"],
            &[""],
        ] {
            assert_eq!(
                parse(&Method::Get, unknown)
                    .unwrap_err()
                    .into_problem()
                    .0
                    .status,
                404,
                "{unknown:?}"
            );
        }
    }
}
