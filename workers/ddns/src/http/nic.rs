//! `GET /nic/update` and `/v3/update`: dyndns2, as routers and update clients speak it.

use edge::{Failure, auth, clock, reply};
use types::{
    ddns::Addresses,
    token::{Action, Scope},
};
use worker::{Env, Method, Request, Response};

use crate::{
    CONFIG,
    dyndns2::{Answer, Code},
    report::{self, Report},
    store::Store,
    update,
};

/// How much of a `User-Agent` the log keeps.
const CLIENT_CHARS: usize = 120;

/// Serves an update.
pub async fn update(request: &Request, env: &Env) -> Result<Response, Failure> {
    let config = CONFIG.get(env)?;
    let tokens = auth::tokens(env)?;
    let presented = auth::basic_password(request.headers());
    let token = presented.and_then(|presented| tokens.find(&presented));
    let may_update = |scope: &Scope| scope.action == Action::DdnsUpdate;
    let Some(token) = token.filter(|token| token.scopes.iter().any(may_update)) else {
        let response = written(&Answer::of(&[Code::Badauth], Addresses::default()))?;
        let challenge = "Basic realm=\"genkan\", charset=\"UTF-8\"";
        response.headers().set("WWW-Authenticate", challenge)?;
        return Ok(response);
    };
    let connecting = request.headers().get("cf-connecting-ip")?;
    let update = update::parse(&edge::query(request), connecting.as_deref());
    let verdicts = report::judge(&update, &config.hosts, token);
    let store = Store::new(env)?;
    let codes = if request.method() == Method::Head {
        report::preview(store.addresses().await?, &update.reported, &verdicts)
    } else {
        let client = request.headers().get("user-agent")?;
        let client: Option<String> =
            client.map(|client| client.chars().take(CLIENT_CHARS).collect());
        let report = Report {
            at: clock::now(),
            token: &token.name,
            client: client.as_deref(),
            reported: &update.reported,
        };
        store.record(report, &verdicts).await?
    };
    written(&Answer::of(&codes, update.reported.addresses))
}

fn written(answer: &Answer) -> Result<Response, Failure> {
    reply::text(answer.status, &answer.body)
}
