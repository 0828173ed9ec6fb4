//! Answers of `GET /health` and `GET /api/health`, which every worker gives of itself. They have no
//! tag and are kept nowhere: they tell of this moment.

use types::{
    Code,
    health::{HEALTH_JSON, Health, HealthStatus, SimpleHealth},
};
use worker::{Request, Response};

use crate::{Failure, clock, query, reply};

/// `GET /health`: that the worker answers. Touches nothing.
pub fn alive() -> Result<Response, Failure> {
    uncached(reply::text(200, "healthy")?)
}

/// `GET /api/health`: 200 for pass and warn, 503 for fail; `?format=simple` is a word and the time.
pub fn answer(request: &Request, health: &Health) -> Result<Response, Failure> {
    let failed = health.status == HealthStatus::Fail;
    let status = if failed { 503 } else { 200 };
    if wants_simple(&query(request))? {
        let word = if failed { "error" } else { "ok" };
        let simple = SimpleHealth {
            status: word.to_owned(),
            timestamp: clock::millis(),
        };
        return uncached(reply::json(status, &simple)?);
    }
    let body = serde_json::to_vec(health).map_err(|error| Failure::internal(error.to_string()))?;
    uncached(reply::bytes(status, HEALTH_JSON, body)?)
}

/// What `format` says; the last one, if there are several.
fn wants_simple(query: &[(String, String)]) -> Result<bool, Failure> {
    let format = query.iter().rev().find(|(key, _)| key == "format");
    match format.map(|(_, value)| value.as_str()) {
        None | Some("" | "json") => Ok(false),
        Some("simple") => Ok(true),
        Some(_) => {
            let detail = "format is json or simple";
            Err(Failure::new(Code::BadRequest, detail))
        }
    }
}

fn uncached(response: Response) -> Result<Response, Failure> {
    response.headers().set("Cache-Control", "no-store")?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_json_or_simple() {
        let asked = |formats: &[&str]| {
            let pairs = formats
                .iter()
                .map(|value| ("format".to_owned(), (*value).to_owned()));
            wants_simple(&pairs.collect::<Vec<_>>())
        };
        assert!(!asked(&[]).unwrap());
        assert!(!asked(&["json"]).unwrap());
        assert!(!asked(&[""]).unwrap());
        assert!(asked(&["json", "simple"]).unwrap());
        for wrong in ["xml", "Simple", "simple "] {
            assert_eq!(
                asked(&[wrong]).unwrap_err().into_problem().0.status,
                400,
                "{wrong}"
            );
        }
    }
}
