//! A check of kind `http`: one request, and every condition that its answer has to meet.

use serde_json::Value;
use types::config::services::{HeaderValue, HttpCheck};

use super::{
    Outcome, Secrets,
    network::{HttpAnswer, HttpRequest, Network, NetworkError},
    secrets::SECRET,
};

/// The most of a body that is read, in bytes: 256 KiB.
const MAX_BODY: u32 = 256 * 1024;

pub async fn check<N: Network>(
    network: &N,
    check: &HttpCheck,
    secrets: &Secrets,
    timeout_ms: u32,
) -> Outcome {
    let mut headers = vec![("user-agent", "genkan")];
    for (name, value) in &check.headers {
        let value = match value {
            HeaderValue::Literal(text) => Some(text.as_str()),
            HeaderValue::Secret(secret) => secrets.get(secret),
        };
        let Some(value) = value else {
            let words = format!("the secret {SECRET} has nothing for the header {name}");
            return Outcome::down("configuration", &words);
        };
        headers.retain(|(other, _)| other != name);
        headers.push((name, value));
    }
    let request = HttpRequest {
        url: check.url.as_str(),
        method: check.method.as_str(),
        headers,
        body: check.body.as_deref(),
        follow: check.follow,
        timeout_ms,
        body_limit: if check.reads_body() { MAX_BODY } else { 0 },
        reads_headers: !check.header.is_empty(),
    };
    match network.request(&request).await {
        Ok(answer) => match judge(check, &answer) {
            Ok(()) => Outcome::up(None),
            Err(outcome) => *outcome,
        }
        .after(answer.latency_ms),
        Err(error) => Outcome::failed(&error),
    }
}

/// The first condition that is not met.
fn judge(check: &HttpCheck, answer: &HttpAnswer) -> Result<(), Box<Outcome>> {
    let down = |code, words: &str| Err(Box::new(Outcome::down(code, words)));
    if !check.accepts(answer.status) {
        return down("status", &format!("answered {}", answer.status));
    }
    for (name, wanted) in &check.header {
        let values = answer.headers.iter().filter(|(other, _)| other == name);
        if !values.into_iter().any(|(_, value)| value.contains(wanted)) {
            return down(
                "header",
                &format!("the header {name} is not as it should be"),
            );
        }
    }
    let has = |text: &Option<String>| text.as_ref().map(|text| answer.body.contains(text));
    if has(&check.keyword_absent) == Some(true) {
        return down("keyword", "a word that must not be in the answer is");
    }
    // Of an answer that was not read to its end only what is in it can be told.
    let is_undecided = has(&check.keyword) == Some(false)
        || check.keyword_absent.is_some()
        || check.json_path.is_some();
    if answer.cut && is_undecided {
        return Err(Box::new(Outcome::failed(&NetworkError::Oversize)));
    }
    if has(&check.keyword) == Some(false) {
        return down("keyword", "the keyword is not in the answer");
    }
    match &check.json_path {
        Some(path) => judge_json(path, check.json_equals.as_ref(), &answer.body),
        None => Ok(()),
    }
}

fn judge_json(
    path: &types::config::services::JsonPath,
    wanted: Option<&Value>,
    body: &str,
) -> Result<(), Box<Outcome>> {
    let down = |words: &str| Err(Box::new(Outcome::down("json", words)));
    let Ok(document) = serde_json::from_str::<Value>(body) else {
        return down("the answer is not JSON");
    };
    match (path.find(&document), wanted) {
        (None, _) => down("the value is not in the answer"),
        (Some(found), Some(wanted)) if !same(found, wanted) => {
            let outcome = Outcome::down("json", "the value is not the one that it should be");
            let detail = format!("{} is {found}", path.as_str());
            Err(Box::new(outcome.with_detail(&detail)))
        }
        _ => Ok(()),
    }
}

/// Numbers by value: `1` is `1.0`.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => found.total_cmp(&wanted).is_eq(),
        _ => found == wanted,
    }
}
