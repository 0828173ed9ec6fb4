//! The providers' port over the runtime, and the secret with their credentials.

use std::cell::Cell;

use edge::fetch::{self, Answer, FetchError, Request};
use types::config::ProviderSecrets;
use worker::Env;

use super::Http;

/// The name of the secret.
const SECRET: &str = "PROVIDERS";

/// The runtime's `fetch`, for a bounded number of requests: the platform allows 50 an invocation,
/// and fails in its own way after that.
#[derive(Debug)]
pub struct Live {
    left: Cell<usize>,
}

impl Live {
    /// For one invocation, in which providers may be sent this many requests.
    pub const fn new(most: u32) -> Self {
        Self {
            left: Cell::new(most as usize),
        }
    }
}

impl Http for Live {
    async fn send(&self, request: Request<'_>) -> Result<Answer, FetchError> {
        let Some(left) = self.left.get().checked_sub(1) else {
            let words = "this run has sent as many requests as it may";
            return Err(FetchError::Connection(words.to_owned()));
        };
        self.left.set(left);
        fetch::send(request).await
    }

    fn left(&self) -> usize {
        self.left.get()
    }
}

/// The credentials of this deployment.
pub fn secrets(env: &Env) -> ProviderSecrets {
    let secret = env.secret(SECRET).ok().map(|secret| secret.to_string());
    ProviderSecrets::parse(secret.as_deref())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_run_that_has_sent_enough_sends_no_more() {
        let live = Live::new(0);
        let sent = live.send(Request::get("https://example.com"));
        assert!(matches!(
            sent.now_or_never(),
            Some(Err(FetchError::Connection(_)))
        ));
    }
}
