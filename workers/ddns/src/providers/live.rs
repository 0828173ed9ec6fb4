//! The providers' port over the runtime, and the secret with their credentials.

use edge::fetch::{self, Answer, FetchError, Request};
use types::config::ProviderSecrets;
use worker::Env;

use super::Http;

/// The name of the secret.
const SECRET: &str = "PROVIDERS";

/// The runtime's `fetch`.
#[derive(Debug, Clone, Copy)]
pub struct Live;

impl Http for Live {
    async fn send(&self, request: Request<'_>) -> Result<Answer, FetchError> {
        fetch::send(request).await
    }
}

/// The credentials of this deployment.
pub fn secrets(env: &Env) -> ProviderSecrets {
    let secret = env.secret(SECRET).ok().map(|secret| secret.to_string());
    ProviderSecrets::parse(secret.as_deref())
}
