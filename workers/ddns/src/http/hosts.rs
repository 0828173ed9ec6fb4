//! `/api/ddns/…`: reports as JSON, rollbacks, the hosts with their addresses, and the log. This file
//! finds the route and serves what changes something; `read` serves the rest.

mod read;

use edge::{Audience, Failure, auth, body, method_not_allowed, not_found, reply};
use types::{
    Code as ProblemCode,
    config::{DdnsConfig, DdnsHost, HostName},
    ddns::{Addresses, ReportAnswer, ReportRequest, Reported},
    token::Action,
};
use worker::{Env, Method, Request, Response};

use super::{
    access::{Asker, rate_limited},
    take::{Wish, take},
};
use crate::{
    CONFIG, dyndns2,
    intake::{Answered, Done},
    report::{self, Verdict},
    store::Store,
    update::{self, Update},
};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Report,
    Hosts,
    Rollback(String),
    Log,
}

impl edge::Route for Route {
    fn name(&self) -> &'static str {
        match self {
            Self::Report => "POST /api/ddns/report",
            Self::Hosts => "GET /api/ddns/hosts",
            Self::Rollback(_) => "POST /api/ddns/hosts/<host>/rollback",
            Self::Log => "GET /api/ddns/log",
        }
    }

    fn audience(&self) -> Audience {
        Audience::Operator
    }
}

/// Finds the route of what follows `/api/ddns`.
pub fn parse(method: &Method, path: &[&str]) -> Result<Route, Failure> {
    let (route, takes, allow) = match path {
        ["report"] => (Route::Report, Method::Post, "POST"),
        ["hosts"] => (Route::Hosts, Method::Get, "GET, HEAD"),
        ["hosts", host, "rollback"] => (Route::Rollback((*host).to_owned()), Method::Post, "POST"),
        ["log"] => (Route::Log, Method::Get, "GET, HEAD"),
        _ => return Err(not_found("such path")),
    };
    if *method == takes {
        Ok(route)
    } else {
        Err(method_not_allowed(allow))
    }
}

/// Serves it.
pub async fn run(route: &Route, request: &Request, env: &Env) -> Result<Response, Failure> {
    match route {
        Route::Report => report(request, env).await,
        Route::Hosts => read::hosts(request, env).await,
        Route::Rollback(host) => rollback(host, request, env).await,
        Route::Log => read::log(request, env).await,
    }
}

/// 403, naming the scope, unless the token updates something.
fn allow_updates(asker: &Asker) -> Result<(), Failure> {
    if asker.updates() {
        return Ok(());
    }
    auth::allow(&asker.entry, Action::DdnsUpdate, None)
}

async fn report(request: &Request, env: &Env) -> Result<Response, Failure> {
    let asker = Asker::identify(request, env).await?;
    allow_updates(&asker)?;
    let config: &DdnsConfig = CONFIG.get(env)?;
    let body: ReportRequest = body::json(request).await?;
    let connecting = request.headers().get("cf-connecting-ip")?;
    let present = |address: &Option<String>| address.clone().filter(|text| !text.trim().is_empty());
    let (ipv4, ipv6) = (present(&body.ipv4), present(&body.ipv6));
    let reported = update::read(ipv4.as_deref(), ipv6.as_deref(), connecting.as_deref());
    let dry_run = body.dry_run;
    let wish = Wish {
        reported: &reported,
        verdicts: &verdicts(body.hostnames, &reported, &config.hosts, &asker)?,
        home: true,
        dry: dry_run,
    };
    let done = hosts_of(take(request, env, config, &asker, &wish).await?)?;
    let status = if dry_run { 200 } else { status(&done) };
    let hosts = done.into_iter().map(|done| done.report).collect();
    reply::json(status, &ReportAnswer { hosts, dry_run })
}

/// The verdicts on the hosts that are named; on all that the token is for when none is.
fn verdicts<'a>(
    hostnames: Option<Vec<String>>,
    reported: &Reported,
    hosts: &'a [DdnsHost],
    asker: &Asker,
) -> Result<Vec<Verdict<'a>>, Failure> {
    let Some(hostnames) = hostnames else {
        let covered = |host: &&DdnsHost| report::covers(&asker.entry, &host.host);
        let hosts: Vec<_> = hosts.iter().filter(covered).collect();
        if hosts.is_empty() {
            let detail = "the token is for no host that is configured here";
            return Err(Failure::new(ProblemCode::Forbidden, detail));
        }
        return Ok(hosts
            .into_iter()
            .map(|host| report::verdict(host, reported))
            .collect());
    };
    if hostnames.is_empty() {
        let detail = "hostnames: names no host; leave it out for all that the token is for";
        return Err(Failure::new(ProblemCode::BadRequest, detail));
    }
    let update = Update {
        hosts: hostnames.iter().map(|name| update::asked(name)).collect(),
        reported: reported.clone(),
    };
    Ok(report::judge_hosts(&update, hosts, &asker.entry))
}

fn hosts_of(answered: Answered) -> Result<Vec<Done>, Failure> {
    match answered {
        Answered::Hosts(done) => Ok(done),
        Answered::Limited { retry_after } => Err(rate_limited(retry_after)),
    }
}

/// The same status as dyndns2 has for it.
fn status(done: &[Done]) -> u16 {
    let codes: Vec<_> = done.iter().map(|done| done.code).collect();
    dyndns2::status(&codes)
}

/// Sets a host back to what it had before it was given what it has.
async fn rollback(host: &str, request: &Request, env: &Env) -> Result<Response, Failure> {
    let asker = Asker::identify(request, env).await?;
    allow_updates(&asker)?;
    let config: &DdnsConfig = CONFIG.get(env)?;
    let host: Option<HostName> = host.parse().ok();
    let configured = host.and_then(|host| config.hosts.iter().find(|one| one.host == host));
    let host = configured.ok_or_else(|| not_found("such host"))?;
    let name = host.host.as_str();
    auth::allow(&asker.entry, Action::DdnsUpdate, Some(name))?;
    let previous = Store::new(env).previous(&host.host).await?;
    let previous = previous.map(|previous: Addresses| host.own(previous));
    let previous = previous.filter(|previous| !previous.is_empty());
    let addresses = previous.ok_or_else(|| {
        let detail = format!("{name} has never had another address that is on record");
        Failure::new(ProblemCode::Conflict, detail)
    })?;
    let reported = Reported {
        ipv4: addresses.ipv4,
        ipv6: addresses.ipv6,
        ..Reported::default()
    };
    let wish = Wish {
        reported: &reported,
        verdicts: &[Verdict::Apply { host, addresses }],
        home: false,
        dry: false,
    };
    let done = hosts_of(take(request, env, config, &asker, &wish).await?)?;
    let code = status(&done);
    let report = done.into_iter().next().map(|done| done.report);
    let report = report.ok_or_else(|| Failure::internal("a rollback came to nothing"))?;
    reply::json(code, &report)
}
