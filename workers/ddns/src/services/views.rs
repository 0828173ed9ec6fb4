//! What is shown beside JSON: a badge's colour, and what Prometheus scrapes.

use types::{
    Timestamp, badge,
    config::{
        DdnsConfig,
        services::{Check, Service},
    },
    prometheus::{Kind, Page},
    services::ServiceState,
};

use super::{
    budget::{self, budget},
    store::hosts::HostAge,
    view::{Present, Viewer},
};

/// The colour of a state, as badges show it.
pub const fn color(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Up => badge::GREEN,
        ServiceState::Degraded => badge::YELLOW,
        ServiceState::Down => badge::RED,
        ServiceState::Unknown | ServiceState::Paused => badge::GREY,
        ServiceState::Maintenance => badge::BLUE,
    }
}

/// Whether a viewer may see how old a host's address is: operators, and everybody where a service of
/// kind `ddns` that they see is about this host.
pub fn may_see_host(config: &DdnsConfig, viewer: &Viewer, host: &str) -> bool {
    let is_about = |service: &Service| match &service.check {
        Check::Ddns(check) => check.host.as_str() == host,
        _ => false,
    };
    let mut services = config.services.iter();
    viewer.is_operator() || services.any(|service| is_about(service) && viewer.sees(service))
}

/// The page.
pub fn metrics(
    config: &DdnsConfig,
    present: &Present<'_>,
    viewer: &Viewer,
    hosts: &[HostAge],
) -> String {
    let mut page = Page::default();
    let services: Vec<&Service> = config
        .services
        .iter()
        .filter(|service| viewer.sees(service))
        .collect();
    of_services(&mut page, &services, present);
    of_hosts(&mut page, hosts, present.now);
    of_costs(&mut page, config);
    page.into_text()
}

fn of_hosts(page: &mut Page, hosts: &[HostAge], now: Timestamp) {
    let mut ages = page.metric(
        Kind::Gauge,
        "genkan_ddns_address_age_seconds",
        "Time since the address of a host changed",
    );
    for host in hosts {
        ages.sample(
            &[("host", &host.host)],
            &seconds_since(host.updated_at, now),
        );
    }
    let mut ages = page.metric(
        Kind::Gauge,
        "genkan_ddns_report_age_seconds",
        "Time since the address of a host was reported",
    );
    for host in hosts {
        if let Some(reported_at) = host.reported_at {
            ages.sample(&[("host", &host.host)], &seconds_since(reported_at, now));
        }
    }
}

fn of_costs(page: &mut Page, config: &DdnsConfig) {
    let cost = budget(config);
    for (name, help, value) in [
        (
            "genkan_services_rows_written_per_day",
            "The most rows that watching the configured services writes to D1 in a day",
            cost.rows_written,
        ),
        (
            "genkan_services_rows_written_per_day_limit",
            "Rows that D1's free plan lets an account write in a day",
            budget::ROWS_WRITTEN_A_DAY,
        ),
        (
            "genkan_services_rows_read_per_day",
            "Rows that the cron reads of D1 in a day for the configured services",
            cost.rows_read,
        ),
        (
            "genkan_services_rows_read_per_day_limit",
            "Rows that D1's free plan lets an account read in a day",
            budget::ROWS_READ_A_DAY,
        ),
        (
            "genkan_services_queries_per_run",
            "The most queries of D1 that one run of the cron makes for services",
            budget::QUERIES_A_RUN,
        ),
        (
            "genkan_services_queries_per_run_limit",
            "Queries of D1 that the free plan lets an invocation make",
            budget::QUERIES_AN_INVOCATION,
        ),
    ] {
        page.value(Kind::Gauge, name, help, &value);
    }
}

fn of_services(page: &mut Page, services: &[&Service], present: &Present<'_>) {
    let mut up = page.metric(
        Kind::Gauge,
        "genkan_service_up",
        "Whether a service is up or degraded (1), or down (0); left out while that is not known",
    );
    for service in services {
        let value = match present.state(&service.id) {
            ServiceState::Up | ServiceState::Degraded => 1,
            ServiceState::Down => 0,
            _ => continue,
        };
        let labels = [
            ("service", service.id.as_str()),
            ("name", service.name.as_str()),
            ("group", service.group.as_deref().unwrap_or_default()),
            ("kind", service.kind().as_str()),
        ];
        up.sample(&labels, &value);
    }
    let mut states = page.metric(
        Kind::Gauge,
        "genkan_service_state",
        "The state that a service is in (1)",
    );
    for service in services {
        let is = present.state(&service.id);
        for state in ServiceState::ALL {
            let labels = [("service", service.id.as_str()), ("state", state.as_str())];
            states.sample(&labels, &u8::from(state == is));
        }
    }
    let last = |service: &Service| {
        present
            .entry(&service.id)
            .and_then(|entry| entry.last.clone())
    };
    let mut latency = page.metric(
        Kind::Gauge,
        "genkan_service_latency_seconds",
        "How long the last check took, where it did not fail",
    );
    for service in services {
        if let Some(latency_ms) = last(service).and_then(|last| last.latency_ms) {
            let seconds = f64::from(latency_ms) / 1000.0;
            latency.sample(&[("service", service.id.as_str())], &seconds);
        }
    }
    let mut ages = page.metric(
        Kind::Gauge,
        "genkan_service_last_check_age_seconds",
        "Time since the check that the other values are of",
    );
    for service in services {
        if let Some(last) = last(service) {
            let age = seconds_since(last.at, present.now);
            ages.sample(&[("service", service.id.as_str())], &age);
        }
    }
}

fn seconds_since(at: Timestamp, now: Timestamp) -> i64 {
    (now - at).max(0)
}
