//! What Prometheus scrapes.
//!
//! Names and labels of the first four are those of itzg/mc-monitor (`export-for-prometheus`), so
//! that its dashboards and alerts go on working. As there, a server that does not answer is
//! `healthy 0` with no version, and says nothing else.

use types::{
    prometheus::{Kind, Page},
    status::{State, Status},
};

use crate::history::budget;

/// One metric: its name, what it means, and its value for a server, if there is one.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: fn(&Status<'_>) -> Option<f64>,
}

const METRICS: [Metric; 5] = [
    Metric {
        name: "minecraft_status_healthy",
        help: "Indicates if the server is healthy (1) or not (0)",
        value: |status| Some(if is_healthy(status) { 1.0 } else { 0.0 }),
    },
    Metric {
        name: "minecraft_status_response_time_seconds",
        help: "Amount of time it took for server to respond",
        value: |status| {
            let latency = status.latency_ms.filter(|_| is_healthy(status))?;
            let waited = latency.connect.saturating_add(latency.status);
            Some(f64::from(waited) / 1000.0)
        },
    },
    Metric {
        name: "minecraft_status_players_online_count",
        help: "Number of players currently online",
        value: |status| {
            let players = status.players.filter(|_| is_healthy(status))?;
            players.online.map(f64::from)
        },
    },
    Metric {
        name: "minecraft_status_players_max_count",
        help: "Maximum number of players allowed by the server",
        value: |status| {
            let players = status.players.filter(|_| is_healthy(status))?;
            players.max.map(f64::from)
        },
    },
    Metric {
        name: "minecraft_status_last_ping_age_seconds",
        help: "Time since the ping that the other values are of",
        #[expect(clippy::cast_precision_loss, reason = "2^53 seconds are enough")]
        value: |status| Some(status.age_seconds as f64),
    },
];

const STATES: [State; 6] = [
    State::Online,
    State::Starting,
    State::Maintenance,
    State::Degraded,
    State::Offline,
    State::Stale,
];

/// Whether the last ping was answered, and not too long ago to count.
fn is_healthy(status: &Status<'_>) -> bool {
    status.online && !status.stale
}

/// The page. A target that was never pinged is not on it. `targets` is how many there are.
pub fn text(statuses: &[Status<'_>], targets: u32) -> String {
    let mut page = Page::default();
    for metric in &METRICS {
        let mut samples = page.metric(Kind::Gauge, metric.name, metric.help);
        for status in statuses {
            if let Some(value) = (metric.value)(status) {
                let port = status.port.to_string();
                let [host, port, edition, target] = server(status, &port);
                let version = ("server_version", version(status));
                samples.sample(&[host, port, edition, target, version], &value);
            }
        }
    }
    states(&mut page, statuses);
    for (name, help, value) in [
        (
            "genkan_status_history_rows_written_per_day",
            "The most rows that the history of the configured targets writes to D1 in a day",
            budget::rows_written_a_day(targets),
        ),
        (
            "genkan_status_history_rows_written_per_day_limit",
            "Rows that D1's free plan lets an account write in a day",
            budget::ROWS_WRITTEN_A_DAY,
        ),
    ] {
        page.value(Kind::Gauge, name, help, &value);
    }
    page.into_text()
}

/// One series a state: 1 for the one that the server is in.
fn states(page: &mut Page, statuses: &[Status<'_>]) {
    let help = "The state that the server is in (1)";
    let mut samples = page.metric(Kind::Gauge, "minecraft_status_state", help);
    for status in statuses {
        let port = status.port.to_string();
        let [host, port, edition, target] = server(status, &port);
        for state in STATES {
            let labels = [host, port, edition, target, ("state", state.as_str())];
            samples.sample(&labels, &u8::from(state == status.state));
        }
    }
}

/// Which server it is.
fn server<'a>(status: &Status<'a>, port: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("server_host", status.host),
        ("server_port", port),
        ("server_edition", "java"),
        ("target", status.target.as_str()),
    ]
}

/// Its version while it answers.
fn version<'a>(status: &Status<'a>) -> &'a str {
    let version = status.version.filter(|_| is_healthy(status));
    version.map_or("", |version| &version.name_clean)
}

#[cfg(test)]
mod tests {
    use types::{Timestamp, status::Observation};

    use super::*;
    use crate::{
        observe::tests::{answered_at, target},
        view,
    };

    fn page(seen: &Observation, now: i64) -> String {
        let target = target();
        text(
            &[view::status(&target.id, seen, Timestamp::from_seconds(now))],
            1,
        )
    }

    fn lines(page: &str) -> Vec<&str> {
        page.lines()
            .filter(|line| line.starts_with("minecraft_"))
            .collect()
    }

    const SERVER: &str =
        r#"server_host="mc.example.com",server_port="25565",server_edition="java",target="main""#;

    #[test]
    fn a_server_that_answers_tells_all() {
        let page = page(&answered_at(0), 12);
        let labels = format!(r#"{SERVER},server_version="Paper 1.21""#);
        assert_eq!(
            lines(&page)[..5],
            [
                format!("minecraft_status_healthy{{{labels}}} 1"),
                format!("minecraft_status_response_time_seconds{{{labels}}} 0.019"),
                format!("minecraft_status_players_online_count{{{labels}}} 1"),
                format!("minecraft_status_players_max_count{{{labels}}} 20"),
                format!("minecraft_status_last_ping_age_seconds{{{labels}}} 12"),
            ]
        );
        assert!(page.contains(&format!(
            "minecraft_status_state{{{SERVER},state=\"online\"}} 1\n"
        )));
        assert!(page.contains(&format!(
            "minecraft_status_state{{{SERVER},state=\"stale\"}} 0\n"
        )));
        assert!(page.ends_with('\n'));
    }

    #[test]
    fn one_that_does_not_is_unhealthy_and_tells_nothing_else() {
        let mut failed = answered_at(0);
        (failed.online, failed.state) = (false, State::Offline);
        let labels = format!(r#"{SERVER},server_version="""#);
        for (seen, now) in [(failed, 12), (answered_at(0), 400)] {
            let page = page(&seen, now);
            assert_eq!(
                lines(&page)[..2],
                [
                    format!("minecraft_status_healthy{{{labels}}} 0"),
                    format!("minecraft_status_last_ping_age_seconds{{{labels}}} {now}"),
                ]
            );
        }
    }

    #[test]
    fn a_version_cannot_leave_its_label() {
        let mut seen = answered_at(0);
        let version = seen.answer.as_mut().unwrap().version.as_mut().unwrap();
        version.name_clean = "a\"} 7\nup{x=\"\\".to_owned();
        let page = page(&seen, 0);
        assert!(
            lines(&page)[0].ends_with(r#"server_version="a\"} 7\nup{x=\"\\"} 1"#),
            "{page}"
        );
    }
}
