//! What is stored, for anybody to read.

use edge::{Failure, not_found, reply};
use types::pack::{PackSummary, Packs};
use worker::{Env, Headers, Response};

use super::query::pack_name;
use crate::{registry::Registry, store::Platform};

/// `GET /api/packs`.
pub async fn packs(headers: &Headers, env: &Env) -> Result<Response, Failure> {
    let names = Platform::new(env)?.packs().await?;
    let packs = Packs {
        packs: names.into_iter().map(|pack| PackSummary { pack }).collect(),
    };
    let body = serde_json::to_vec(&packs).map_err(|error| Failure::internal(error.to_string()))?;
    reply::tagged(headers, &reply::tag_of(&body), reply::JSON, || Ok(body))
}

/// `GET /api/packs/<pack>`.
pub async fn pack(headers: &Headers, env: &Env, name: &str) -> Result<Response, Failure> {
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
