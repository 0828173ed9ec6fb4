//! Requests to the workers that run on this machine.

use std::time::Duration;

/// A client that gives up after `timeout` and for which every answer is an answer, whatever its
/// status.
pub fn agent(timeout: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .build()
        .into()
}
