//! The look at what was published: fetches the public URL as a player would and hashes what comes.
//!
//! Bytes and hash cannot disagree in R2, but what stands between it and the players can serve
//! something else: a wrong `PUBLIC_URL`, a stale cache, a login page.

use std::{convert::Infallible, time::Duration};

use edge::{Failure, clock, concat, log};
use futures::future::{Either, select};
use types::{
    PackName, Sha1,
    config::PackConfig,
    pack::{Check, CheckState},
};
use worker::{Delay, Env, Fetch, Method, Request, web_sys};

use crate::{change, registry::download_url, store::Platform};

/// How long the whole download may take.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Looks once, and puts on record what was seen. The error is that of the record.
pub async fn check(
    env: &Env,
    config: &PackConfig,
    pack: &PackName,
    sha1: &Sha1,
) -> Result<(), Failure> {
    let url = download_url(&config.public_url, sha1);
    let fetched = Box::pin(fetch(&url));
    let seen = match select(fetched, Delay::from(TIMEOUT)).await {
        Either::Left((seen, _)) => seen,
        Either::Right(_) => Err(format!("did not come within {} s", TIMEOUT.as_secs())),
    };
    let at = clock::now();
    let reason = match seen {
        Ok(seen) if seen == *sha1 => None,
        Ok(seen) => Some(format!("serves bytes whose SHA-1 is {seen}")),
        Err(reason) => Some(reason),
    };
    let check = Check {
        state: match reason {
            None => CheckState::Verified,
            Some(_) => CheckState::Failed,
        },
        at: Some(at),
        reason,
    };
    if let Some(reason) = &check.reason {
        log::error(
            "check",
            &format!("{url} {reason}: players cannot load this release of {pack}"),
        );
    }
    let platform = Platform::new(env)?;
    let changed = change::change(&platform, pack, None, |registry| {
        Ok::<_, Infallible>(registry.set_check(sha1, check.clone()))
    });
    match changed.await {
        Ok(_) | Err(change::ChangeError::NoSuchPack) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The SHA-1 of what a URL serves, natively hashed; or what is wrong with it, in words that follow
/// the URL.
async fn fetch(url: &str) -> Result<Sha1, String> {
    let failed = |failure: Failure| format!("cannot be fetched: {}", failure.into_message());
    let request = Request::new(url, Method::Get).map_err(|error| failed(error.into()))?;
    let response = Fetch::Request(request).send().await;
    let response: web_sys::Response = response.map_err(|error| failed(error.into()))?.into();
    let body = response.body();
    if response.status() != 200 {
        if let Some(body) = body {
            drop(wasm_bindgen_futures::JsFuture::from(body.cancel()).await);
        }
        return Err(format!("answers {}", response.status()));
    }
    let mut body = body;
    concat::sha1(async || Ok(body.take())).await.map_err(failed)
}
