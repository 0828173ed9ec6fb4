//! Calls of Cloudflare's API: one envelope for all, pages, and what an error means.
//!
//! Spec: <https://developers.cloudflare.com/api/>. `{"success","errors":[{"code","message","error_chain"?}],"result",
//! "result_info"?:{"page","total_pages"}}`; 1,200 requests in 5 minutes, then 429 for 5 minutes.

use std::cell::RefCell;

use edge::fetch::{Answer, FetchError, Request};
use serde_json::Value;

use super::super::{Fault, Http, detail::Discretion};

/// For one call, in milliseconds.
const TIMEOUT_MS: u32 = 8_000;
/// The longest answer that is read, in bytes: a page of 100 records has 60 KB.
const MAX_BODY: u32 = 256 * 1024;
/// The most pages of one list.
const MAX_PAGES: u64 = 10;
/// How long to wait after a 429 that does not say, and at most, in seconds.
const BACK_OFF: u32 = 300;
const MAX_BACK_OFF: u32 = 3600;

/// The token is wrong, or lacks a right.
const AUTH: [u64; 9] = [1000, 6003, 6111, 9103, 9106, 9107, 9109, 9207, 10000];
/// Too many requests, in another way.
const BUSY: [u64; 2] = [971, 10429];
/// Somebody else was quicker: the record is gone, or is there already. The next look will tell.
const RACES: [u64; 3] = [81044, 81057, 81058];

/// The API with one token. It has no `Debug`.
pub struct Api<'a, H> {
    http: &'a H,
    base: &'a str,
    authorization: String,
    discretion: Discretion,
    /// What makes every further call pointless.
    over: RefCell<Option<Fault>>,
}

impl<'a, H: Http> Api<'a, H> {
    pub fn new(http: &'a H, base: &'a str, token: &str) -> Self {
        Self {
            http,
            base,
            authorization: format!("Bearer {token}"),
            discretion: Discretion::new(&[token]),
            over: RefCell::new(None),
        }
    }

    /// How many more calls there may be.
    pub fn left(&self) -> usize {
        self.http.left()
    }

    /// All items of a list. `path` has a query.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Fault> {
        let mut items = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = match page {
                1 => path.to_owned(),
                _ => format!("{path}&page={page}"),
            };
            let mut envelope = self.call("GET", &path, None).await?;
            let last = envelope.pointer("/result_info/total_pages");
            let last = last.and_then(Value::as_u64).unwrap_or(1);
            match envelope.get_mut("result").map(Value::take) {
                Some(Value::Array(more)) => items.extend(more),
                _ => return Err(Fault::later("answered without a list")),
            }
            if page >= last {
                return Ok(items);
            }
        }
        let detail = format!("answered with more than {MAX_PAGES} pages");
        Err(Fault::refused(detail))
    }

    /// What a call gives, in `result`.
    pub async fn change(&self, method: &str, path: &str, body: &Value) -> Result<Value, Fault> {
        let mut envelope = self.call(method, path, Some(&body.to_string())).await?;
        Ok(envelope
            .get_mut("result")
            .map(Value::take)
            .unwrap_or_default())
    }

    /// One call; gives the envelope of a success.
    async fn call(&self, method: &str, path: &str, body: Option<&str>) -> Result<Value, Fault> {
        if let Some(over) = self.over.borrow().clone() {
            return Err(over);
        }
        // Whoever is told at the same time with another token uses them up as well.
        if self.http.left() == 0 {
            return Err(Fault::Left);
        }
        let url = format!("{}{path}", self.base);
        let headers = [
            ("authorization", self.authorization.as_str()),
            ("accept", "application/json"),
            ("user-agent", "genkan"),
            ("content-type", "application/json"),
        ];
        let with_type = if body.is_some() { headers.len() } else { 3 };
        let request = Request {
            method,
            headers: headers.get(..with_type).unwrap_or(&headers),
            body,
            timeout_ms: TIMEOUT_MS,
            limit: MAX_BODY,
            ..Request::get(&url)
        };
        let answer = self.http.send(request).await;
        self.read(answer).map_err(|trouble| {
            // What is wrong with one zone or record says nothing about the others.
            let whole = match &trouble {
                Trouble::Server(_) => true,
                Trouble::Token(_) => path.starts_with("/zones?"),
                Trouble::Record(_) => false,
            };
            let (Trouble::Server(sent) | Trouble::Token(sent) | Trouble::Record(sent)) = trouble;
            if whole {
                *self.over.borrow_mut() = Some(sent.clone());
            }
            sent
        })
    }

    /// The envelope of a success, or what is wrong.
    fn read(&self, answer: Result<Answer, FetchError>) -> Result<Value, Trouble> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let detail = self.discretion.quote(&error.to_string());
                return Err(Trouble::Server(match error {
                    FetchError::Invalid(_) => Fault::refused(detail),
                    _ => Fault::later(detail),
                }));
            }
        };
        let status = answer.status;
        if answer.cut {
            let detail = format!("answered {status} with more than {MAX_BODY} bytes");
            return Err(Trouble::Server(Fault::later(detail)));
        }
        let envelope = serde_json::from_str(&answer.text).ok();
        let success = envelope
            .as_ref()
            .and_then(|body: &Value| body.get("success")?.as_bool());
        match (envelope, success) {
            (Some(envelope), Some(true)) if answer.is_success() => Ok(envelope),
            (Some(envelope), Some(false)) => Err(self.refusal(&answer, &envelope)),
            _ if status == 429 => Err(self.refusal(&answer, &Value::Null)),
            (_, success) => {
                let without = if success.is_none() && answer.is_success() {
                    " without a result"
                } else {
                    ""
                };
                let quote = self.discretion.quote(&answer.text);
                let detail = format!("answered {status}{without}: \"{quote}\"");
                Err(Trouble::Server(Fault::later(detail)))
            }
        }
    }

    /// What an answer means that says no.
    fn refusal(&self, answer: &Answer, envelope: &Value) -> Trouble {
        let mut errors = Vec::new();
        named(envelope, "errors", &mut errors);
        let codes: Vec<u64> = errors.iter().map(|(code, _)| *code).collect();
        let any = |known: &[u64]| codes.iter().any(|code| known.contains(code));
        let words: Vec<String> = errors
            .iter()
            .map(|(code, message)| format!("{code} {message}"))
            .collect();
        let status = answer.status;
        let quote = self.discretion.quote(&words.join("; "));
        if status == 429 || any(&BUSY) {
            let asked = answer.header("retry-after");
            let seconds = asked.and_then(|seconds| seconds.trim().parse::<u32>().ok());
            let seconds = seconds.unwrap_or(BACK_OFF).clamp(1, MAX_BACK_OFF);
            return Trouble::Server(Fault::Later {
                detail: format!("has too many requests, and asks to wait {seconds} s: {quote}"),
                after_seconds: Some(seconds),
            });
        }
        let detail = format!("answered {status}: {quote}");
        if status >= 500 {
            Trouble::Server(Fault::later(detail))
        } else if any(&AUTH) || [401, 403].contains(&status) {
            Trouble::Token(Fault::refused(format!(
                "refused the token or lacks a right of it: {detail}"
            )))
        } else if any(&RACES) || answer.is_success() {
            Trouble::Record(Fault::later(detail))
        } else {
            Trouble::Record(Fault::refused(detail))
        }
    }
}

/// What an error is about.
enum Trouble {
    /// The server: the next call would fare no better.
    Server(Fault),
    /// The token, with this zone or with all.
    Token(Fault),
    /// What was asked for.
    Record(Fault),
}

/// The errors of an envelope and those that they were caused by, a few of them.
fn named(of: &Value, key: &str, errors: &mut Vec<(u64, String)>) {
    const MOST: usize = 4;
    for error in of.get(key).and_then(Value::as_array).into_iter().flatten() {
        if errors.len() == MOST {
            return;
        }
        let code = error.get("code").and_then(Value::as_u64).unwrap_or(0);
        let message = error.get("message").and_then(Value::as_str);
        errors.push((code, message.unwrap_or_default().to_owned()));
        if key == "errors" {
            named(error, "error_chain", errors);
        }
    }
}
