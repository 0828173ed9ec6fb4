//! One run of the cron: every target is pinged, and what is new is kept.
//!
//! Running it twice does no harm: it only ever replaces what was seen by what is seen now.

use std::collections::BTreeMap;

use edge::{Failure, clock, log};
use futures::{StreamExt as _, stream};
use minecraft::failure::Failure as PingFailure;
use types::{
    TargetId, Timestamp,
    config::{StatusConfig, Target},
    status::{Observation, State},
};
use worker::Env;

use crate::{
    governor,
    observe::{Outcome, observe},
    ping::ping,
    store::{self, Store},
    tcp::Tcp,
};

/// What was seen of every target.
pub type Seen = BTreeMap<TargetId, Observation>;

/// Pings all targets and gives what was seen of them, written or not. When KV cannot be read nothing
/// is done: what is stored must not be replaced by something that has forgotten it.
pub async fn run(env: &Env, config: &StatusConfig) -> Result<Seen, Failure> {
    let store = Store::new(env);
    let kept = store.kept().await?;
    let stored: BTreeMap<TargetId, Observation> = config
        .targets
        .iter()
        .filter_map(|target| Some((target.id.clone(), store::read(&kept, target)?)))
        .collect();
    let pings = config.targets.iter().map(|target| async {
        let outcome = ping(&Tcp, target).await;
        let previous = stored.get(&target.id);
        let now = clock::now();
        (target.id.clone(), seen(previous, outcome, target, now))
    });
    let new: BTreeMap<TargetId, Observation> = stream::iter(pings)
        .buffer_unordered(StatusConfig::AT_ONCE as usize)
        .collect()
        .await;
    let is_due = kept.len() != stored.len() || governor::is_due(&stored, &new, clock::now());
    if is_due && let Err(failure) = store.keep(new.clone()).await {
        // What was seen is still good for those who record it.
        log::error("kv", &failure.into_message());
    }
    Ok(new)
}

/// The observation that a ping leads to. A change of state is logged, since that is what an
/// operator looks for; the same state each minute is not.
fn seen(
    previous: Option<&Observation>,
    outcome: Outcome,
    target: &Target,
    now: Timestamp,
) -> Observation {
    let failure = outcome.as_ref().err().cloned();
    let observation = observe(previous, outcome, target, now);
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
    use super::*;
    use crate::observe::tests::{answered_at, target};

    #[test]
    fn a_change_of_state_is_one_line_with_its_reason() {
        let timeout = || PingFailure::Timeout { after_ms: 5000 };
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
