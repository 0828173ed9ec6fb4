//! The look at what was published: fetches the public URL as a player would and hashes what comes.
//! Its `User-Agent` alone is its own, so that it is not counted as a player's download.
//!
//! Bytes and hash cannot disagree in R2, but what stands between it and the players can serve
//! something else: a wrong `PUBLIC_URL`, a stale cache, a login page.

use std::{convert::Infallible, future::Future, time::Duration};

use edge::{Failure, clock, concat, log};
use types::{
    PackName, Sha1,
    config::PackConfig,
    pack::{Check, CheckState},
};
use worker::{
    AbortController, AbortSignal, Env, Fetch, Request, RequestInit, RequestRedirect, web_sys,
};

use crate::{
    change,
    ports::Registries as _,
    registry::{Registry, download_url},
    store::Platform,
    tally::CHECK_AGENT,
};

/// How long the first byte of the answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// How long the whole download may take.
const DOWNLOAD: Duration = Duration::from_mins(2);

/// Looks once, and puts on record what was seen. The error is that of the record.
pub async fn check(
    env: &Env,
    config: &PackConfig,
    pack: &PackName,
    sha1: &Sha1,
) -> Result<(), Failure> {
    let platform = Platform::new(env)?;
    let Some(loaded) = platform.load(pack).await? else {
        return Ok(());
    };
    if !is_wanted(&loaded.registry, sha1) {
        return Ok(());
    }
    let url = download_url(&config.public_url, sha1);
    let reason = match fetch(&url).await {
        Ok(seen) if seen == *sha1 => None,
        Ok(seen) => Some(format!("serves bytes whose SHA-1 is {seen}")),
        Err(reason) => Some(reason),
    };
    if let Some(reason) = &reason {
        log::error(
            "check",
            &format!("{url} {reason}: players cannot load this release of {pack}"),
        );
    }
    let check = Check {
        state: match reason {
            None => CheckState::Verified,
            Some(_) => CheckState::Failed,
        },
        at: Some(clock::now()),
        reason,
    };
    let changed = change::change(&platform, pack, None, |registry| {
        Ok::<_, Infallible>(registry.set_check(sha1, check.clone()))
    });
    match changed.await {
        Ok(_) | Err(change::ChangeError::NoSuchPack) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether this release was not looked at since it was published, or looked wrong then: a message
/// may come twice.
fn is_wanted(registry: &Registry, sha1: &Sha1) -> bool {
    let Some(release) = registry.release(sha1) else {
        return false;
    };
    let looked_at = match release.check.state {
        CheckState::Verified => release.check.at,
        CheckState::Pending | CheckState::Failed => None,
    };
    let Some(looked_at) = looked_at else {
        return true;
    };
    let mut pointers = registry.pack().channels.values();
    pointers.any(|pointer| pointer.sha1 == *sha1 && pointer.published_at > looked_at)
}

/// The SHA-1 of what a URL serves, natively hashed; or what is wrong with it, in words that follow
/// the URL.
async fn fetch(url: &str) -> Result<Sha1, String> {
    let stop = AbortController::default();
    let response = within(ANSWER, "does not answer", request(url, stop.signal())).await;
    let downloaded = match response {
        Ok(response) => within(DOWNLOAD, "did not come", hash(&response)).await,
        Err(reason) => Err(reason),
    };
    if downloaded.is_err() {
        stop.abort();
    }
    downloaded
}

async fn within<T>(
    limit: Duration,
    otherwise: &str,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let late = || Err(format!("{otherwise} within {} s", limit.as_secs()));
    clock::within(limit, work).await.unwrap_or_else(late)
}

fn failed(failure: Failure) -> String {
    format!("cannot be fetched: {}", failure.into_message())
}

/// The answer, without following it elsewhere: the game does not from http to https.
async fn request(url: &str, stop: AbortSignal) -> Result<web_sys::Response, String> {
    let mut init = RequestInit::new();
    init.with_redirect(RequestRedirect::Manual);
    let named = init.headers.set("User-Agent", CHECK_AGENT);
    named.map_err(|error| failed(error.into()))?;
    let request = Request::new_with_init(url, &init).map_err(|error| failed(error.into()))?;
    let response = Fetch::Request(request).send_with_signal(&stop).await;
    response
        .map(Into::into)
        .map_err(|error| failed(error.into()))
}

async fn hash(response: &web_sys::Response) -> Result<Sha1, String> {
    if response.status() != 200 {
        return Err(format!("answers {}", response.status()));
    }
    let mut body = response.body();
    concat::sha1(async || Ok(body.take())).await.map_err(failed)
}
