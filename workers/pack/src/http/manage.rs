//! What an operator does with a pack that is there: publish, roll back, set, delete.

use std::convert::Infallible;

use edge::{Failure, auth, body, clock, reply};
use minecraft::text::Text;
use serde::Deserialize;
use serde_json::Value;
use types::{
    Channel, Code, PackName, Sha1, Timestamp,
    config::PackConfig,
    pack::{Field, SettingsPatch, Uploaded, Warning},
    token::Action,
};
use worker::{Env, Request, Response, ResponseBuilder};

use super::query::{channel_name, pack_name, sha1};
use crate::{
    change::{self, Changed},
    ports::StoreError,
    registry::{Author, NoSuchRelease, NothingBefore, Previous, Registry},
    store::Platform,
};

/// The pack, and who changes it: a token that may. When is when the registry is changed.
fn authorize(
    request: &Request,
    env: &Env,
    name: &str,
) -> Result<(PackName, impl Fn() -> Author + use<>), Failure> {
    let token = auth::require(request.headers(), env, Action::PackWrite, Some(name))?;
    let author = move || Author {
        name: token.name.clone(),
        at: clock::now(),
    };
    Ok((pack_name(name)?, author))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    sha1: Sha1,
    #[serde(default = "Channel::stable")]
    channel: Channel,
    at: Option<Timestamp>,
}

/// `POST /api/packs/<pack>/publish`.
pub async fn publish(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    name: &str,
) -> Result<Response, Failure> {
    let (pack, author) = authorize(request, env, name)?;
    let asked: Publication = body::json(request).await?;
    let platform = Platform::new(env)?;
    let later = asked.at.filter(|at| *at > clock::now());
    let changed = change::change(&platform, &pack, None, |registry| match later {
        Some(at) => {
            registry.schedule(&asked.channel, &asked.sha1, at, &author())?;
            let pointer = registry.pack().channels.get(&asked.channel);
            Ok::<_, NoSuchRelease>(Previous(pointer.map(|pointer| pointer.sha1)))
        }
        None => registry.publish(&asked.channel, &asked.sha1, &author()),
    });
    let Changed { registry, outcome } = changed.await?;
    let answer = Answer {
        registry: &registry,
        channel: &asked.channel,
        sha1: &asked.sha1,
        previous: outcome,
        scheduled_at: later,
    };
    if later.is_some() {
        return reply::json(202, &answer.uploaded(config)?);
    }
    tell(&platform, config, &answer).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    #[serde(default = "Channel::stable")]
    channel: Channel,
}

/// `POST /api/packs/<pack>/rollback`.
pub async fn roll_back(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    name: &str,
) -> Result<Response, Failure> {
    let (pack, author) = authorize(request, env, name)?;
    let Rollback { channel } = body::json(request).await?;
    let platform = Platform::new(env)?;
    let changed = change::change(&platform, &pack, None, |registry| {
        if !registry.pack().channels.contains_key(&channel) {
            return Err(edge::not_found(&format!("channel \"{channel}\"")));
        }
        let previous = registry.roll_back(&channel, &author())?;
        let pointer = registry.pack().channels.get(&channel);
        let sha1 = pointer.map(|pointer| pointer.sha1).ok_or(NothingBefore)?;
        Ok((previous, sha1))
    });
    let Changed { registry, outcome } = changed.await?;
    let (previous, sha1) = outcome;
    let answer = Answer {
        registry: &registry,
        channel: &channel,
        sha1: &sha1,
        previous,
        scheduled_at: None,
    };
    tell(&platform, config, &answer).await
}

/// A release as a publication or a rollback answers it.
struct Answer<'a> {
    registry: &'a Registry,
    channel: &'a Channel,
    sha1: &'a Sha1,
    previous: Previous,
    scheduled_at: Option<Timestamp>,
}

impl Answer<'_> {
    fn uploaded(&self, config: &PackConfig) -> Result<Uploaded, Failure> {
        let record = self
            .registry
            .record(self.channel, self.sha1, &config.public_url);
        let release = self.registry.release(self.sha1);
        let (record, release) = record
            .zip(release)
            .ok_or_else(|| StoreError("a published release is not in its registry".to_owned()))?;
        Ok(Uploaded {
            published: record.published_at.is_some(),
            previous: self.previous.0,
            warnings: release.warnings.clone(),
            record,
            scheduled_at: self.scheduled_at,
        })
    }
}

/// Tells readers what a channel points to now, and the answer to who asked for it. That readers are
/// told later is a warning: sent again, a rollback would go one further back.
async fn tell(
    platform: &Platform,
    config: &PackConfig,
    answer: &Answer<'_>,
) -> Result<Response, Failure> {
    let channels = std::iter::once(answer.channel);
    let url = &config.public_url;
    let told = change::announce_all(platform, answer.registry, channels, url).await;
    let mut uploaded = answer.uploaded(config)?;
    uploaded.warnings.extend(told.err().map(Warning::from));
    reply::json(200, &uploaded)
}

/// `DELETE /api/packs/<pack>/scheduled/<channel>`.
pub async fn unschedule(
    request: &Request,
    env: &Env,
    name: &str,
    channel: &str,
) -> Result<Response, Failure> {
    let (pack, author) = authorize(request, env, name)?;
    let channel = channel_name(channel)?;
    let platform = Platform::new(env)?;
    let changed = change::change(&platform, &pack, None, |registry| {
        Ok::<_, Infallible>(registry.unschedule(&channel, &author()))
    });
    if changed.await?.outcome {
        return Ok(ResponseBuilder::new().with_status(204).empty());
    }
    let nothing = format!("publication scheduled for channel \"{channel}\"");
    Err(edge::not_found(&nothing))
}

/// `DELETE /api/packs/<pack>/releases/<sha1>`.
pub async fn delete(
    request: &Request,
    env: &Env,
    name: &str,
    hash: &str,
) -> Result<Response, Failure> {
    let (pack, author) = authorize(request, env, name)?;
    let sha1 = sha1(hash)?;
    let platform = Platform::new(env)?;
    let changed = change::change(&platform, &pack, None, |registry| {
        registry.delete(&sha1, &author())
    });
    changed.await?;
    Ok(ResponseBuilder::new().with_status(204).empty())
}

/// The longest display name, in characters.
const MAX_NAME: usize = 100;
/// The longest prompt, in bytes of JSON: it is part of what every reader gets.
const MAX_PROMPT: usize = 8 * 1024;

/// `PATCH /api/packs/<pack>`.
pub async fn settings(
    request: &Request,
    env: &Env,
    config: &PackConfig,
    name: &str,
) -> Result<Response, Failure> {
    let (pack, author) = authorize(request, env, name)?;
    let mut patch: SettingsPatch = body::json(request).await?;
    if let Field::Set(Some(name)) = &patch.display_name
        && name.chars().count() > MAX_NAME
    {
        let detail = format!("display_name: at most {MAX_NAME} characters");
        return Err(Failure::new(Code::BadRequest, detail));
    }
    if let Field::Set(given) = patch.prompt {
        patch.prompt = Field::Set(given.map(prompt).transpose()?);
    }
    let platform = Platform::new(env)?;
    let changed = change::change(&platform, &pack, None, |registry| {
        registry.change_settings(&patch, &author())
    });
    let registry = changed.await?.registry;
    // Readers are told of `required` and `prompt` by every channel.
    let channels = registry.pack().channels.keys();
    let url = &config.public_url;
    change::announce_all(&platform, &registry, channels, url).await?;
    reply::json(200, registry.pack())
}

/// A prompt as it is stored, a text component object: a string is read as `MiniMessage`, a component
/// of another form made into an object.
fn prompt(given: Value) -> Result<Value, Failure> {
    let bad = |problem: &str| Failure::new(Code::BadRequest, format!("prompt: {problem}"));
    let component = match given {
        Value::String(text) => {
            let (text, problems) = Text::from_minimessage(&text, &|_| None);
            if let Some(problem) = problems.first() {
                return Err(bad(&format!(
                    "character {}: {}",
                    problem.at, problem.message
                )));
            }
            text.to_component()
        }
        object @ Value::Object(_) => object,
        list @ Value::Array(_) => Text::from_component(&list).to_component(),
        _ => return Err(bad("must be a text component, MiniMessage or null")),
    };
    if component.to_string().len() > MAX_PROMPT {
        return Err(bad("is longer than 8 KiB"));
    }
    Ok(component)
}
