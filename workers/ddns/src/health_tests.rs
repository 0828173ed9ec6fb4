use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

fn well() -> Found<'static> {
    Found {
        database: Database::Answered {
            millis: 2,
            ticked_at: Some(NOW),
        },
        providers: None,
        channels: None,
        services: None,
        members: Vec::new(),
        budget: Budget {
            rows_written: 10,
            rows_read: 10,
        },
        for_operator: false,
    }
}

fn ticked(seconds_ago: Option<i64>) -> Health {
    let ticked_at = seconds_ago.map(|seconds| NOW.plus_seconds(-seconds));
    let database = Database::Answered {
        millis: 2,
        ticked_at,
    };
    health(NOW, &Found { database, ..well() })
}

#[test]
fn a_late_cron_is_a_warning_and_a_dead_database_a_failure() {
    assert_eq!(ticked(Some(0)).status, HealthStatus::Pass);
    assert_eq!(ticked(Some(180)).status, HealthStatus::Pass);
    assert_eq!(ticked(Some(181)).status, HealthStatus::Warn);
    assert_eq!(ticked(None).status, HealthStatus::Warn);
    let found = Found {
        database: Database::Failed,
        ..well()
    };
    assert_eq!(health(NOW, &found).status, HealthStatus::Fail);
}

#[test]
fn services_that_no_run_checks_are_a_warning_though_the_cron_runs() {
    let ran = |ran_at: Option<Timestamp>| {
        let services = Some(Services {
            ran_at,
            visible: Vec::new(),
        });
        let health = health(NOW, &Found { services, ..well() });
        let check = &health.checks["services:age"][0];
        (health.status, check.output.clone())
    };
    let since = |seconds: i64| Some(NOW.plus_seconds(-seconds));
    assert_eq!(ran(since(180)), (HealthStatus::Pass, None));
    let warns = |words: &str| (HealthStatus::Warn, Some(words.to_owned()));
    let late = warns("no service was checked for over 3 minutes");
    assert_eq!(ran(since(181)), late);
    assert_eq!(ran(None), warns("no service was ever checked"));
    assert!(!health(NOW, &well()).checks.contains_key("services:age"));
}

#[test]
fn the_state_changes_with_the_status_and_not_with_time() {
    assert_eq!(state_of(&ticked(Some(1))), state_of(&ticked(Some(60))));
    assert_ne!(state_of(&ticked(Some(1))), state_of(&ticked(Some(600))));
    assert_ne!(state_of(&ticked(None)), state_of(&ticked(Some(600))));
}

#[test]
fn another_worker_is_joined_under_its_name_and_its_silence_is_a_warning() {
    let broken = Check::pass("control", "datastore", NOW)
        .unless(Some((HealthStatus::Warn, "no control document".to_owned())));
    let status = Health::of_named("status", [("control:document", broken)]);
    let found = Found {
        members: vec![("pack", None), ("status", Some(status))],
        ..well()
    };
    let health = health(NOW, &found);
    assert_eq!(health.status, HealthStatus::Warn);
    let said = |name: &str| health.checks[name][0].output.clone().unwrap();
    assert_eq!(said("status.control:document"), "no control document");
    assert_eq!(said("pack:responseTime"), "pack does not answer");
}

#[test]
fn who_fails_and_why_is_for_operators_alone() {
    let channels = Receivers {
        count: 2,
        failing: vec![("ops-chat".to_owned(), "answered 404".to_owned())],
        expiring: 0,
        waiting: 3,
    };
    let mut found = Found {
        channels: Some(channels),
        ..well()
    };
    let said = |found: &Found<'_>| {
        let health = health(NOW, found);
        assert_eq!(health.status, HealthStatus::Warn);
        health.checks["alerts:failing"][0].output.clone().unwrap()
    };
    assert_eq!(
        said(&found),
        "1 of 2 alert channels fail; what they were to be told waits"
    );
    found.for_operator = true;
    assert!(said(&found).contains("ops-chat: answered 404"));
}

#[test]
fn a_budget_that_is_nearly_used_is_a_warning() {
    let budget = Budget {
        rows_written: 90_000,
        rows_read: 0,
    };
    let found = Found { budget, ..well() };
    assert_eq!(health(NOW, &found).status, HealthStatus::Warn);
}

fn shown(state: ServiceState) -> services::Service {
    services::Service {
        id: "web".to_owned(),
        name: "Website".to_owned(),
        group: None,
        kind: "http".to_owned(),
        state,
        since: None,
        latency_ms: Some(20),
        last_checked_at: Some(NOW),
        uptime: services::Uptime::default(),
        reason: Some("timeout: no answer".to_owned()),
        depends_on: Vec::new(),
    }
}

#[test]
fn a_service_that_cannot_be_read_fails_for_its_database() {
    let health = of_unread_service(NOW, "web");
    assert_eq!(
        (health.status, &*health.service_id),
        (HealthStatus::Fail, "web")
    );
    let check = &health.checks["ops-db:responseTime"][0];
    assert!(check.output.is_some());
}

#[test]
fn a_service_fails_when_it_is_down() {
    for (state, status) in [
        (ServiceState::Up, HealthStatus::Pass),
        (ServiceState::Paused, HealthStatus::Pass),
        (ServiceState::Maintenance, HealthStatus::Pass),
        (ServiceState::Degraded, HealthStatus::Warn),
        (ServiceState::Unknown, HealthStatus::Warn),
        (ServiceState::Down, HealthStatus::Fail),
    ] {
        let health = of_service(NOW, &shown(state));
        assert_eq!(health.status, status, "{state:?}");
        assert_eq!(health.service_id, "web");
        let check = &health.checks["web:state"][0];
        assert_eq!(check.output.is_none(), status == HealthStatus::Pass);
        assert_eq!(health.checks["web:responseTime"].len(), 1);
    }
}
