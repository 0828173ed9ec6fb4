//! Bodies of the `ddns` worker's health: health+json (draft-inadarei-api-health-check-06).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The media type of [`Health`].
pub const HEALTH_JSON: &str = "application/health+json";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    Pass,
    Warn,
    Fail,
}

/// A measured value and its unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    pub observed_value: i64,
    pub observed_unit: String,
}

/// One measurement of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub component_id: String,
    pub component_type: String,
    /// What was measured; absent when the measurement did not come about.
    #[serde(flatten)]
    pub observed: Option<Observed>,
    pub status: HealthStatus,
    pub time: Timestamp,
    /// What is wrong; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// The body of `GET /api/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The worst of the checks.
    pub status: HealthStatus,
    pub service_id: String,
    /// By `component:measurement`.
    pub checks: BTreeMap<String, Vec<Check>>,
}

/// The body of `GET /api/health?format=simple`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleHealth {
    /// `ok`, or `error` when the health is `fail`.
    pub status: String,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
}

impl Health {
    /// The health of a service is that of its worst check, and `pass` without any.
    pub fn of(service_id: &str, checks: BTreeMap<String, Vec<Check>>) -> Self {
        let worst = checks.values().flatten().map(|check| check.status).max();
        Self {
            status: worst.unwrap_or(HealthStatus::Pass),
            service_id: service_id.to_owned(),
            checks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_pinned_and_the_worst_check_decides() {
        let time = Timestamp::from_seconds(1_795_255_200);
        let check = |status, output: Option<&str>| {
            let observed = output.is_none().then(|| Observed {
                observed_value: 3,
                observed_unit: "ms".to_owned(),
            });
            vec![Check {
                component_id: "db".to_owned(),
                component_type: "datastore".to_owned(),
                observed,
                status,
                time,
                output: output.map(str::to_owned),
            }]
        };
        let checks = BTreeMap::from([
            ("a:up".to_owned(), check(HealthStatus::Pass, None)),
            (
                "b:up".to_owned(),
                check(HealthStatus::Fail, Some("no answer")),
            ),
        ]);
        assert_eq!(
            serde_json::to_string(&Health::of("ddns", checks)).unwrap(),
            r#"{"status":"fail","serviceId":"ddns","checks":{"a:up":[{"componentId":"db","componentType":"datastore","observedValue":3,"observedUnit":"ms","status":"pass","time":"2026-11-21T10:00:00Z"}],"b:up":[{"componentId":"db","componentType":"datastore","status":"fail","time":"2026-11-21T10:00:00Z","output":"no answer"}]}}"#
        );
        assert_eq!(
            Health::of("ddns", BTreeMap::new()).status,
            HealthStatus::Pass
        );
    }
}
