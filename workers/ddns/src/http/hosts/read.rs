//! What operators read: the hosts from all sides, and the log.

use std::collections::BTreeMap;

use edge::{Failure, clock, reply};
use futures::future::{join_all, try_join};
use types::{
    Code, Timestamp,
    config::{DdnsConfig, DdnsHost, HostName, ProviderKind},
    ddns::{HostState, Hosts, ProviderState, Standing},
    token::Action,
};
use worker::{Env, Request, Response};

use crate::{
    CONFIG,
    book::Book as _,
    http::{
        access::Asker,
        query::{known, number, parameter},
    },
    plan::{self, Duty, Line},
    ports,
    store::{Filter, LastReport, Store},
    truth::{self, Dns, Sighting},
};

const LOG_DEFAULT: u32 = 50;
const LOG_MOST: u32 = 200;

/// How many hosts DNS is asked about at a time: two questions each, of the 50 requests that the
/// platform allows. DNS is not known of the others.
const DNS_HOSTS: usize = 20;

/// Serves `GET /api/ddns/hosts`.
pub async fn hosts(request: &Request, env: &Env) -> Result<Response, Failure> {
    Asker::require(request, env, Action::OpsRead, None).await?;
    known(request, &[])?;
    let config: &DdnsConfig = CONFIG.get(env)?;
    let store = Store::new(env);
    let names: Vec<&HostName> = config.hosts.iter().map(|host| &host.host).collect();
    let (lines, reports) = try_join(store.lines(None), store.last_reports(&names)).await?;
    let asked = config.hosts.iter().take(DNS_HOSTS);
    let answers = join_all(asked.map(|host| ports::dns(config, &host.host))).await;
    let mut dns: BTreeMap<&HostName, Option<Dns>> = names.into_iter().zip(answers).collect();
    let now = clock::now();
    let hosts = config.hosts.iter().map(|host| {
        let line = lines.iter().find(|line| line.host == host.host);
        let of_host = reports.iter().filter(|report| report.host == host.host);
        let reports: Vec<_> = of_host.map(LastReport::sighting).collect();
        state(
            host,
            line,
            &reports,
            dns.remove(&host.host).flatten().as_ref(),
            now,
        )
    });
    let hosts = hosts.collect();
    reply::json(200, &Hosts { hosts })
}

fn state(
    host: &DdnsHost,
    line: Option<&Line>,
    reports: &[Sighting<'_>],
    dns: Option<&Dns>,
    now: Timestamp,
) -> HostState {
    let has = host.own(line.map(|line| line.wanted).unwrap_or_default());
    let suffixed = host.ipv6_suffix.is_some();
    let (seen, difference) = truth::together(reports, suffixed);
    let mut kinds = host.providers.iter().map(|provider| provider.kind);
    let fronted = kinds.any(|kind| kind == ProviderKind::Cloudflare);
    let duties: Vec<Duty> = plan::duties(host).collect();
    HostState {
        host: host.host.clone(),
        ipv4: has.ipv4,
        ipv6: has.ipv6,
        seen,
        dns: dns.map(|dns| dns.shown(has)),
        agree: truth::agree(has, seen, suffixed, dns, fronted),
        difference,
        updated_at: line.map(|line| line.updated_at),
        next_refresh_at: line.and_then(|line| plan::next_refresh_at(&duties, line)),
        providers: duties
            .iter()
            .map(|duty| provider(duty, line, now))
            .collect(),
    }
}

fn provider(duty: &Duty, line: Option<&Line>, now: Timestamp) -> ProviderState {
    let holding = line.and_then(|line| Some((line, line.holding(&duty.provider)?)));
    ProviderState {
        provider: duty.provider.clone(),
        state: holding.map_or(Standing::Pending, |(line, holding)| {
            holding.standing(line.wanted, now)
        }),
        expires_at: holding.and_then(|(_, holding)| holding.expires_at),
        error: holding.and_then(|(_, holding)| holding.error.clone()),
    }
}

/// Serves `GET /api/ddns/log`, newest first. The cursor is the id of the last entry of the page
/// before.
pub async fn log(request: &Request, env: &Env) -> Result<Response, Failure> {
    Asker::require(request, env, Action::OpsRead, None).await?;
    known(
        request,
        &[
            "cursor", "limit", "host", "token", "decision", "since", "until",
        ],
    )?;
    let text = |name: &str| parameter(request, name).filter(|text| !text.is_empty());
    let limit = number(request, "limit")?
        .unwrap_or(LOG_DEFAULT)
        .clamp(1, LOG_MOST);
    let filter = Filter {
        before: number(request, "cursor")?.unwrap_or(u32::MAX),
        // One more than asked for shows whether there is a page after this one.
        limit: limit + 1,
        // A host is on record by its name; what is none, as it was sent.
        host: text("host").map(|host| match host.parse::<HostName>() {
            Ok(name) => name.to_string(),
            Err(_) => host,
        }),
        token: text("token"),
        decision: text("decision"),
        since: moment(text("since"), "since")?,
        until: moment(text("until"), "until")?,
    };
    let mut entries = Store::new(env).log(&filter).await?;
    let kept = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > kept;
    entries.truncate(kept);
    let next = entries.last().filter(|_| more);
    let next = next.map_or("null".to_owned(), |(id, _)| format!("\"{id}\""));
    let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
    // A `types::ddns::Log`.
    let body = format!(
        "{{\"entries\":[{}],\"next_cursor\":{next}}}",
        entries.join(",")
    );
    reply::bytes(200, reply::JSON, body.into_bytes())
}

fn moment(text: Option<String>, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else {
        return Ok(None);
    };
    let moment = serde_json::from_value(serde_json::Value::String(text));
    moment.map(Some).map_err(|_| {
        let detail = format!("{name} is not a time as in 2026-11-21T10:00:00Z");
        Failure::new(Code::BadRequest, detail)
    })
}
