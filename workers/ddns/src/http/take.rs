//! An update from its request to what came of it, for dyndns2 and JSON alike.

use edge::{Failure, clock, random_bytes};
use types::{config::DdnsConfig, ddns::Reported};
use worker::{Env, Request};

use super::access::Asker;
use crate::{
    book::{self, Ports},
    intake::{self, Answered},
    plan::{self, Duty},
    ports::{Outside, REQUESTS, Wall},
    report::Verdict,
    store::Store,
};

/// How much of a `User-Agent` the log keeps.
const CLIENT_CHARS: usize = 120;

/// What is to be taken.
pub struct Wish<'a> {
    pub reported: &'a Reported,
    pub verdicts: &'a [Verdict<'a>],
    /// Whether it comes from the home; a rollback does not.
    pub home: bool,
    /// Whether nothing is to be changed.
    pub dry: bool,
}

/// Takes an update.
pub async fn take(
    request: &Request,
    env: &Env,
    config: &DdnsConfig,
    asker: &Asker,
    wish: &Wish<'_>,
) -> Result<Answered, Failure> {
    if let Some(retry_after) = asker.held_back() {
        return Ok(Answered::Limited { retry_after });
    }
    let headers = request.headers();
    let client = if wish.home {
        headers.get("user-agent")?
    } else {
        Some("rollback".to_owned())
    };
    let client: Option<String> = client.map(|client| client.chars().take(CLIENT_CHARS).collect());
    let connecting = headers.get("cf-connecting-ip")?;
    let seen = connecting.as_deref().unwrap_or("unknown");
    let mark = mark()?;
    let report = book::Request {
        mark: &mark,
        at: clock::now(),
        token: &asker.entry.name,
        client: client.as_deref(),
        seen: wish.home.then_some(seen),
        guesser: &asker.guesser,
        reported: wish.reported,
        verdicts: wish.verdicts,
        sharers: &sharers(wish.verdicts, config),
        damped: wish.home,
    };
    let ports = Ports {
        book: &Store::new(env),
        providers: &Outside::new(env, config, REQUESTS),
        clock: &Wall,
    };
    let answered = if wish.dry {
        intake::preview(&ports, &report).await?
    } else {
        intake::take(&ports, &report).await?
    };
    if let Answered::Limited { retry_after } = answered {
        asker.hold_back(retry_after);
    }
    Ok(answered)
}

/// What else is to be looked at.
fn sharers(verdicts: &[Verdict<'_>], config: &DdnsConfig) -> Vec<Duty> {
    let applied = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Apply { host, .. } => Some(plan::duties(host)),
        _ => None,
    });
    plan::sharers(&applied.flatten().collect::<Vec<_>>(), &config.hosts)
}

/// What tells this request's rows and leases from those of others.
pub fn mark() -> Result<String, Failure> {
    Ok(format!("{:032x}", u128::from_be_bytes(random_bytes()?)))
}
