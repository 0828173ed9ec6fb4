//! Who asks: a token as Basic or Bearer credentials, and not for the twentieth time a wrong one.

use std::cell::RefCell;

use edge::{Failure, auth, clock, log};
use types::{
    Code, Timestamp,
    token::{Action, Presented, TokenEntry},
};
use worker::{Env, Request};

use super::connecting;
use crate::{
    limits::{self, Memory},
    store::Store,
};

thread_local! {
    static MEMORY: RefCell<Memory> = const { RefCell::new(Memory::new()) };
}

/// Why nobody is let in.
#[derive(Debug)]
pub enum Denied {
    /// No token that is known here.
    Unknown,
    /// The client guessed too often, or the token asked too often: for so many seconds.
    HeldBack(i64),
    /// Nothing can be checked.
    Failed(Failure),
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Failed(failure) => failure,
            Denied::HeldBack(seconds) => rate_limited(seconds),
            Denied::Unknown => Self::new(
                Code::Unauthorized,
                "this needs a token that is known here: Authorization: Bearer <token>",
            )
            .with_header("WWW-Authenticate", "Bearer realm=\"genkan\""),
        }
    }
}

/// 429, with when to come again.
pub fn rate_limited(seconds: i64) -> Failure {
    let detail = format!("too many requests: come again in {seconds} seconds");
    Failure::new(Code::RateLimited, detail).with_header("Retry-After", seconds.to_string())
}

/// Who asks, and what its wrong guesses would be counted by.
#[derive(Debug)]
pub struct Asker {
    pub entry: TokenEntry,
    pub guesser: String,
}

impl Asker {
    /// Finds out who presents this.
    pub async fn of(
        request: &Request,
        env: &Env,
        presented: Option<Presented>,
    ) -> Result<Self, Denied> {
        let guesser = limits::guesser(connecting(request)?);
        let now = clock::now();
        let held_back = MEMORY.with_borrow(|memory| memory.held_back(&guesser, now));
        if let Some(seconds) = held_back {
            return Err(Denied::HeldBack(seconds));
        }
        let tokens = auth::tokens(env)?;
        let Some(presented) = presented else {
            return Err(Denied::Unknown);
        };
        if let Some(entry) = tokens.find(&presented).cloned() {
            return Ok(Self { entry, guesser });
        }
        let until = MEMORY.with_borrow_mut(|memory| memory.guessed(&guesser, now));
        if let Some(until) = until {
            log::warn("tokens", "a client guessed wrong 20 times in a minute");
            // What this instance knows it knows without the database.
            if let Err(failure) = block(env, &guesser, until).await {
                log::error("tokens", &failure.into_message());
            }
        }
        Err(Denied::Unknown)
    }

    /// Who asks with a Bearer token, or a Basic one.
    pub async fn identify(request: &Request, env: &Env) -> Result<Self, Denied> {
        let headers = request.headers();
        let presented = auth::bearer(headers).or_else(|| auth::basic_password(headers));
        Self::of(request, env, presented).await
    }

    /// Who asks, if its token has this scope.
    pub async fn require(
        request: &Request,
        env: &Env,
        action: Action,
        resource: Option<&str>,
    ) -> Result<Self, Failure> {
        let asker = Self::identify(request, env).await?;
        auth::allow(&asker.entry, action, resource)?;
        Ok(asker)
    }

    /// Whether the token updates any host at all.
    pub fn updates(&self) -> bool {
        let mut scopes = self.entry.scopes.iter();
        scopes.any(|scope| scope.action == Action::DdnsUpdate)
    }

    /// In how many seconds it may update again, as far as this instance knows.
    pub fn held_back(&self) -> Option<i64> {
        MEMORY.with_borrow(|memory| memory.held_back(&self.key(), clock::now()))
    }

    /// Remembers that it may not update for so many seconds.
    pub fn hold_back(&self, seconds: i64) {
        let now = clock::now();
        MEMORY.with_borrow_mut(|memory| {
            memory.refuse(&self.key(), now.plus_seconds(seconds), now);
        });
    }

    /// Of this token from this client: either may be the one that asks too much.
    fn key(&self) -> String {
        format!("{} {}", self.guesser, self.entry.name)
    }
}

async fn block(env: &Env, client: &str, until: Timestamp) -> Result<(), Failure> {
    Store::new(env).block(client, until).await
}
