//! What a ping makes of what was known: the states of a server.
//!
//! | Ping | State |
//! |---|---|
//! | answered in time | `online` |
//! | answered, but slower than `degraded_ms` | `degraded`, reason `slow` |
//! | closed before it answered | `starting` |
//! | failed, after one that was answered | `degraded` with the reason |
//! | failed, after one that failed, or the first ever | `offline` with the reason |
//!
//! Whatever happens, the last answer stays.

use minecraft::failure::Failure;
use types::{
    Timestamp,
    config::Target,
    status::{Answer, Latency, Observation, Reason, State},
};

/// Failed pings in a row that mean offline.
const OFFLINE_AFTER: u32 = 2;

/// How a ping ended.
pub type Outcome = Result<Answer, Failure>;

/// What is known after a ping.
pub fn observe(
    previous: Option<&Observation>,
    outcome: Outcome,
    target: &Target,
    now: Timestamp,
) -> Observation {
    let failures_before = previous.map_or(OFFLINE_AFTER, |previous| previous.failures);
    let (state, reason, failures, answer) = match outcome {
        Ok(answer) if is_slow(answer.latency_ms, target) => {
            (State::Degraded, Some(Reason::Slow), 0, Some(answer))
        }
        Ok(answer) => (State::Online, None, 0, Some(answer)),
        Err(failure) => {
            let failures = failures_before.saturating_add(1).min(OFFLINE_AFTER);
            let reason = reason(&failure);
            let state = match reason {
                Reason::ClosedBeforeStatus => State::Starting,
                _ if failures < OFFLINE_AFTER => State::Degraded,
                _ => State::Offline,
            };
            let kept = previous.and_then(|previous| previous.answer.clone());
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
