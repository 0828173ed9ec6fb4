//! What each worker says of its own health: health+json (draft-inadarei-api-health-check-06).

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

impl Check {
    /// A component, and the kind that it is, with which all is well.
    pub fn pass(component_id: &str, component_type: &str, time: Timestamp) -> Self {
        Self {
            component_id: component_id.to_owned(),
            component_type: component_type.to_owned(),
            observed: None,
            status: HealthStatus::Pass,
            time,
            output: None,
        }
    }

    /// With what was measured.
    #[must_use]
    pub fn measured(self, value: i64, unit: &str) -> Self {
        Self {
            observed: Some(Observed {
                observed_value: value,
                observed_unit: unit.to_owned(),
            }),
            ..self
        }
    }

    /// With what is wrong, if something is: one line that anybody may read.
    #[must_use]
    pub fn unless(self, wrong: Option<(HealthStatus, String)>) -> Self {
        match wrong {
            None => self,
            Some((status, output)) => Self {
                status,
                output: Some(output),
                ..self
            },
        }
    }
}

impl Health {
    /// Of checks under their names, `component:measurement`.
    pub fn of_named(
        service_id: &str,
        checks: impl IntoIterator<Item = (&'static str, Check)>,
    ) -> Self {
        let mut all: BTreeMap<String, Vec<Check>> = BTreeMap::new();
        for (name, check) in checks {
            all.entry(name.to_owned()).or_default().push(check);
        }
        Self::of(service_id, all)
    }

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

    #[test]
    fn a_check_passes_unless_something_is_wrong() {
        let time = Timestamp::from_seconds(1_795_255_200);
        let check = |wrong| {
            Check::pass("cron", "system", time)
                .measured(7, "s")
                .unless(wrong)
        };
        let late = (HealthStatus::Warn, "late".to_owned());
        let health = Health::of_named(
            "status",
            [("cron:age", check(None)), ("cron:age", check(Some(late)))],
        );
        assert_eq!(
            serde_json::to_string(&health).unwrap(),
            r#"{"status":"warn","serviceId":"status","checks":{"cron:age":[{"componentId":"cron","componentType":"system","observedValue":7,"observedUnit":"s","status":"pass","time":"2026-11-21T10:00:00Z"},{"componentId":"cron","componentType":"system","observedValue":7,"observedUnit":"s","status":"warn","time":"2026-11-21T10:00:00Z","output":"late"}]}}"#
        );
    }
}
