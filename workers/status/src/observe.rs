//! What a ping makes of what was known: the states of a server.
//!
//! | Ping | State |
//! |---|---|
//! | answered in time | `online` |
//! | answered, but slower than `degraded_ms` | `degraded`, reason `slow` |
//! | closed before it answered | `starting` |
//! | failed, `offline_after` times in a row, or the first ever | `offline` with the reason |
//! | failed, less often | `degraded` with the reason |
//!
//! Whatever happens, the last answer stays; of a target with privacy without its players' names.

use minecraft::failure::Failure;
use types::{
    Timestamp,
    config::Target,
    status::{Answer, Latency, Observation, Reason, State},
};

/// How a ping ended.
pub type Outcome = Result<Answer, Failure>;

/// What is known after a ping; where the server was found is not its business.
pub fn observe(
    previous: Option<&Observation>,
    outcome: Outcome,
    target: &Target,
    now: Timestamp,
) -> Observation {
    let most = target.offline_after;
    let failures_before = previous.map_or(most, |previous| previous.failures);
    let (state, reason, failures, answer) = match outcome {
        Ok(answer) if is_slow(answer.latency_ms, target) => {
            (State::Degraded, Some(Reason::Slow), 0, Some(answer))
        }
        Ok(answer) => (State::Online, None, 0, Some(answer)),
        Err(failure) => {
            let failures = failures_before.saturating_add(1).min(most);
            let reason = reason(&failure);
            let state = match reason {
                Reason::ClosedBeforeStatus => State::Starting,
                _ if failures < most => State::Degraded,
                _ => State::Offline,
            };
            let mut kept = previous.and_then(|previous| previous.answer.clone());
            if let Some(answer) = kept.as_mut().filter(|_| target.privacy) {
                without_names(answer);
            }
            (state, Some(reason), failures, kept)
        }
    };
    Observation {
        state,
        reason,
        online: failures == 0,
        failures,
        host: target.address.host.clone(),
        port: target.address.port_or_default(),
        ip_address: None,
        srv_record: None,
        retrieved_at: now,
        answer,
    }
}

/// Leaves out who plays.
pub fn without_names(answer: &mut Answer) {
    if let Some(players) = &mut answer.players {
        players.list.clear();
    }
}

/// How long a player waits for the entry in the server list: from dialling to the status.
fn is_slow(latency: Latency, target: &Target) -> bool {
    latency.connect.saturating_add(latency.status) > target.degraded_ms
}

fn reason(failure: &Failure) -> Reason {
    match failure {
        Failure::Dns { .. } => Reason::Dns,
        Failure::Refused { .. } => Reason::Refused,
        Failure::Timeout { .. } => Reason::Timeout,
        Failure::ClosedBeforeStatus => Reason::ClosedBeforeStatus,
        Failure::BadFrame(_) => Reason::BadFrame,
        Failure::BadJson(_) => Reason::BadJson,
        Failure::Oversize { .. } => Reason::Oversize,
        Failure::Protocol { .. } => Reason::Protocol,
    }
}

#[cfg(test)]
#[path = "observe_tests.rs"]
pub mod tests;
