//! `GET /nic/update` and `/v3/update`: dyndns2, as routers and update clients speak it.

use edge::{Failure, auth, reply};
use types::config::DdnsConfig;
use worker::{Env, Method, Request, Response};

use super::{
    access::{Asker, Denied},
    take::{Wish, take},
};
use crate::{
    CONFIG,
    dyndns2::{Answer, Code},
    intake::Answered,
    report, update,
};

/// Serves an update. HEAD tells what GET would, and changes nothing.
pub async fn update(request: &Request, env: &Env) -> Result<Response, Failure> {
    let config: &DdnsConfig = CONFIG.get(env)?;
    let presented = auth::basic_password(request.headers());
    let asker = match Asker::of(request, env, presented).await {
        Ok(asker) if asker.updates() => asker,
        Ok(_) | Err(Denied::Unknown) => return unknown(),
        Err(Denied::HeldBack(seconds)) => return abuse(seconds),
        Err(Denied::Failed(failure)) => return Err(failure),
    };
    let connecting = request.headers().get("cf-connecting-ip")?;
    let update = update::parse(&edge::query(request), connecting.as_deref());
    let wish = Wish {
        reported: &update.reported,
        verdicts: &report::judge_hosts(&update, &config.hosts, &asker.entry),
        home: true,
        dry: request.method() == Method::Head,
    };
    match take(request, env, config, &asker, &wish).await? {
        Answered::Limited { retry_after } => abuse(retry_after),
        Answered::Hosts(done) => {
            let lines: Vec<_> = done.iter().map(|done| (done.code, done.taken)).collect();
            written(&Answer::of(&lines))
        }
    }
}

fn unknown() -> Result<Response, Failure> {
    let response = written(&Answer::whole(Code::Badauth))?;
    let challenge = "Basic realm=\"genkan\", charset=\"UTF-8\"";
    response.headers().set("WWW-Authenticate", challenge)?;
    Ok(response)
}

fn abuse(seconds: i64) -> Result<Response, Failure> {
    let response = written(&Answer::whole(Code::Abuse))?;
    response
        .headers()
        .set("Retry-After", &seconds.to_string())?;
    Ok(response)
}

fn written(answer: &Answer) -> Result<Response, Failure> {
    reply::text(answer.status, &answer.body)
}
