//! One run of the cron: every target is pinged, and what is new is kept.
//!
//! Running it twice does no harm: it only ever replaces what was seen by what is seen now. Each
//! target does one thing at a time, a question to DNS or a connection, and six of them are at it:
//! so no more than six connections are open. Those that last time made it wait for an answer or for a
//! pong come last, so that they delay nobody.

use std::{collections::BTreeMap, rc::Rc};

use edge::{Failure, clock, log};
use futures::{StreamExt as _, stream};
use minecraft::failure::Failure as PingFailure;
use types::{
    TargetId, Timestamp,
    config::{StatusConfig, Target},
    status::{Observation, Snapshot, State, Version1, Writes},
};
use worker::Env;

use crate::{
    allowance::Allowance,
    doh::Doh,
    governor, ledger,
    memory::{Memory, Stored},
    news::{self, News},
    observe::{Outcome, observe},
    ping::ping,
    resolve::{Cache, Place, Resolver},
    store::{self, Store},
    tcp::Tcp,
};

/// What was seen of every target.
pub type Seen = BTreeMap<TargetId, Observation>;

/// Pings all targets and gives what was seen of them, written or not. When KV cannot be read
/// nothing is done: what is stored must not be replaced by something that has forgotten it.
pub async fn run(env: &Env, config: &StatusConfig) -> Result<Rc<Seen>, Failure> {
    let store = Store::new(env);
    let text = store.text().await?;
    let mut memory = Memory::take();
    let known = memory.stored.take().filter(|stored| stored.text == text);
    let stored = known.unwrap_or_else(|| Rc::new(read(text, config)));
    let (dns, so_far) = memory.joined(stored.dns.clone(), stored.writes);
    let remembers = memory.is_of_last_run(clock::now());
    let (new, dns) = ping_all(config, &stored.targets, &memory, dns).await;

    let news = if stored.is_whole {
        news::between(&stored.targets, &new)
    } else {
        News::State
    };
    let oldest = stored.targets.values().map(|seen| seen.retrieved_at).min();
    let due = governor::decide(news, oldest, so_far, config.kv_writes_per_day, clock::now());
    let granted = match due {
        Some(due) => governor::granted(due, ledger::count(env, &due).await, remembers),
        None => None,
    };
    let writes = granted.or(so_far);
    let (targets, dns, stored) = match granted {
        Some(_) => write(&store, new, dns, writes, stored).await,
        None => (Rc::new(new), dns, stored),
    };
    Memory {
        targets: Rc::clone(&targets),
        dns,
        writes,
        stored: Some(stored),
    }
    .leave();
    Ok(targets)
}

/// Reads what KV holds.
fn read(text: Option<String>, config: &StatusConfig) -> Stored {
    let kept = store::parse(text.as_deref());
    let targets = config.targets.iter();
    let targets: Seen = targets
        .filter_map(|target| Some((target.id.clone(), store::read(&kept.targets, target)?)))
        .collect();
    Stored {
        is_whole: kept.targets.len() == targets.len(),
        text,
        targets: Rc::new(targets),
        dns: kept.dns,
        writes: kept.writes,
    }
}

/// Writes what was seen; that it fails is logged, for what was seen is still good for those who
/// record it. Gives all of it back, with what KV holds then.
async fn write(
    store: &Store<'_>,
    targets: Seen,
    dns: Cache,
    writes: Option<Writes>,
    before: Rc<Stored>,
) -> (Rc<Seen>, Cache, Rc<Stored>) {
    let snapshot = Snapshot {
        v: Version1,
        targets,
        dns,
        writes,
    };
    let written = store.keep(&snapshot).await;
    let Snapshot { targets, dns, .. } = snapshot;
    let targets = Rc::new(targets);
    let stored = match written {
        Ok(text) => Rc::new(Stored {
            text: Some(text),
            targets: Rc::clone(&targets),
            is_whole: true,
            dns: dns.clone(),
            writes,
        }),
        Err(failure) => {
            log::error("kv", &failure.into_message());
            before
        }
    };
    (targets, dns, stored)
}

async fn ping_all(
    config: &StatusConfig,
    stored: &Seen,
    memory: &Memory,
    dns: Cache,
) -> (Seen, Cache) {
    let previous = |id: &TargetId| memory.newest(id, stored.get(id));
    let waits = |target: &&Target| previous(&target.id).is_some_and(made_it_wait);
    let (last, first): (Vec<&Target>, Vec<&Target>) = config.targets.iter().partition(waits);

    let doh = Doh::new(config);
    let allowance = Allowance::beside(&config.targets);
    let resolver = Resolver::new(&doh, dns, &allowance);
    let pings = first.into_iter().chain(last).map(|target| async {
        let place = resolver.place(target).await;
        let mut outcome = ping(&Tcp, target, &place, &allowance).await;
        if outcome.as_ref().is_err_and(PingFailure::is_unconnected)
            && resolver.is_unknown(&place.host).await
        {
            outcome = Err(PingFailure::Dns {
                host: place.host.clone(),
            });
        }
        let seen = seen(previous(&target.id), outcome, target, place, clock::now());
        (target.id.clone(), seen)
    });
    let new = stream::iter(pings)
        .buffer_unordered(StatusConfig::AT_ONCE as usize)
        .collect()
        .await;
    (new, resolver.into_cache())
}

/// Whether a ping may have lasted as long as it may. A server that never pongs holds its place for all
/// of the time-out, too.
fn made_it_wait(seen: &Observation) -> bool {
    let answered = seen.answer.as_ref().filter(|_| seen.failures == 0);
    answered.is_none_or(|answer| answer.latency_ms.pong.is_none())
}

/// The observation that a ping leads to. A change of state is logged, since that is what an
/// operator looks for; the same state each minute is not.
fn seen(
    previous: Option<&Observation>,
    outcome: Outcome,
    target: &Target,
    place: Place,
    now: Timestamp,
) -> Observation {
    let failure = outcome.as_ref().err().cloned();
    let mut observation = observe(previous, outcome, target, now);
    observation.ip_address = place.ip.filter(|_| place.is_public);
    observation.srv_record = place.srv_record;
    let before = previous.map(|previous| previous.state);
    if before != Some(observation.state) {
        let line = change(before, &observation, failure.as_ref());
        let about = format!("target {}", target.id);
        match observation.state {
            State::Online => log::info(&about, &line),
            _ => log::warn(&about, &line),
        }
    }
    observation
}

/// `online -> degraded (timeout): no answer within 5000 ms`
fn change(before: Option<State>, now: &Observation, failure: Option<&PingFailure>) -> String {
    let before = before.map_or("unknown", State::as_str);
    let after = now.state.as_str();
    match (failure, &now.answer) {
        (Some(failure), _) => format!("{before} -> {after} ({}): {failure}", failure.reason()),
        (None, Some(answer)) => {
            let waited = answer
                .latency_ms
                .connect
                .saturating_add(answer.latency_ms.status);
            format!("{before} -> {after}: answered after {waited} ms")
        }
        (None, None) => format!("{before} -> {after}"),
    }
}

#[cfg(test)]
mod tests {
    use minecraft::failure::Awaited;

    use super::*;
    use crate::observe::tests::{answered_at, target};

    #[test]
    fn who_made_a_run_wait_comes_last_in_the_next() {
        let good = answered_at(0);
        assert!(!made_it_wait(&good));
        let mut failed = good.clone();
        failed.failures = 1;
        let mut without_pong = good;
        if let Some(answer) = &mut without_pong.answer {
            answer.latency_ms.pong = None;
        }
        assert!(made_it_wait(&failed) && made_it_wait(&without_pong));
    }

    #[test]
    fn a_change_of_state_is_one_line_with_its_reason() {
        let timeout = || PingFailure::Timeout {
            awaited: Awaited::FirstByte,
            after_ms: 5000,
        };
        let before = answered_at(0);
        let now = Timestamp::from_seconds(60);
        let lost = observe(Some(&before), Err(timeout()), &target(), now);
        assert_eq!(
            change(Some(before.state), &lost, Some(&timeout())),
            "online -> degraded (timeout): no answer within 5000 ms"
        );
        assert_eq!(
            change(None, &before, None),
            "unknown -> online: answered after 19 ms"
        );
    }
}
