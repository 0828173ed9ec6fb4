//! One event, from the platform's call to its answer: routes, runs, turns failures into answers,
//! logs.

use serde::Serialize;
use types::Problem;
use worker::{Method, Request, Response, ResponseBuilder};

use crate::{Failure, clock, log, reply};

/// What every answer of a public route says.
pub const PUBLIC_HEADERS: [(&str, &str); 3] = [
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        "ETag, Content-Range, Accept-Ranges",
    ),
    NO_SNIFFING,
];
const NO_SNIFFING: (&str, &str) = ("X-Content-Type-Options", "nosniff");

/// Who a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: readable from any website.
    Public,
    /// Bearers of a token: never cached, never readable by a website.
    Operator,
}

/// How a route's clients read an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// One line of text: a game prints it to the player's log.
    Line,
    /// A dyndns2 code alone: `911`.
    Dyndns2,
    /// `{"error":"…"}`: what plugins that upload to a Polymath print.
    Polymath,
}

/// What a request asks for, as one value a path pattern.
pub trait Route: Sized {
    /// Method and path pattern, for the log: `GET /packs/<sha1>.zip`.
    fn name(&self) -> &'static str;

    fn audience(&self) -> Audience;

    fn errors(&self) -> ErrorFormat {
        ErrorFormat::Problem
    }
}

/// Answers one request: `parse` finds the route from the method and the path's segments, `run`
/// serves it. HEAD is parsed as GET, and its answer leaves without the body.
pub async fn serve<R: Route>(
    worker: &'static str,
    request: Request,
    parse: impl FnOnce(&Method, &[&str]) -> Result<R, Failure>,
    run: impl AsyncFnOnce(&R, &Request) -> Result<Response, Failure>,
) -> worker::Result<Response> {
    let started = clock::millis();
    let method = request.method();
    let preflight =
        method == Method::Options && request.headers().has("access-control-request-method")?;
    let routed = match method {
        Method::Head => Method::Get,
        Method::Options if preflight => Method::Get,
        ref other => other.clone(),
    };
    let path = request.path();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let route = parse(&routed, &segments);
    let (name, audience, format) = match &route {
        Ok(route) => (route.name(), route.audience(), route.errors()),
        Err(_) => ("(none)", Audience::Public, ErrorFormat::Problem),
    };
    let result = match &route {
        Ok(_) if preflight => self::preflight(audience),
        Ok(route) => run(route, &request).await,
        Err(_) => route.map(|_| ()).and_then(|()| reply::text(500, "")),
    };
    let (response, error) = match result {
        Ok(response) => (response, None),
        Err(failure) => answer_failure(failure, format)?,
    };
    let response = finish(response, audience, method == Method::Head)?;
    log::request(&log::RequestLine {
        worker,
        route: name,
        method: method.as_ref(),
        status: response.status_code(),
        duration_ms: clock::millis() - started,
        error: error.as_deref(),
    });
    Ok(response)
}

/// Runs scheduled work: what fails is logged, since the platform would swallow it.
pub async fn tick(worker: &'static str, work: impl Future<Output = Result<(), Failure>>) {
    let started = clock::millis();
    let result = work.await;
    let error = match result {
        Ok(()) => None,
        Err(Failure::Internal(message)) => Some(message),
        Err(Failure::Problem { problem, .. }) => Some(problem.detail),
    };
    log::request(&log::RequestLine {
        worker,
        route: "cron",
        method: "CRON",
        status: if error.is_some() { 500 } else { 200 },
        duration_ms: clock::millis() - started,
        error: error.as_deref(),
    });
}

/// The answer to a CORS preflight (Fetch Standard, section 4.8): what a website may ask of a public
/// GET, and nothing of an operator's. The headers of every answer are not in it.
pub fn preflight(audience: Audience) -> Result<Response, Failure> {
    let mut builder = ResponseBuilder::new().with_status(204);
    if audience == Audience::Public {
        builder = builder
            .with_header("Access-Control-Allow-Methods", "GET, HEAD")?
            .with_header(
                "Access-Control-Allow-Headers",
                "If-None-Match, If-Range, Range",
            )?
            .with_header("Access-Control-Max-Age", "86400")?;
    }
    Ok(builder.empty())
}

fn answer_failure(
    failure: Failure,
    format: ErrorFormat,
) -> Result<(Response, Option<String>), worker::Error> {
    let inner = match &failure {
        Failure::Internal(message) => Some(message.clone()),
        Failure::Problem { .. } => None,
    };
    let (problem, headers) = failure.into_problem();
    let response = render(&problem, format)
        .map_err(|_| worker::Error::from("an error could not be rendered"))?;
    for (name, value) in headers {
        response.headers().set(name, &value)?;
    }
    Ok((response, inner))
}

#[derive(Serialize)]
struct PolymathError<'a> {
    error: &'a str,
}

fn render(problem: &Problem, format: ErrorFormat) -> Result<Response, Failure> {
    match format {
        ErrorFormat::Problem => reply::problem(problem),
        ErrorFormat::Line => reply::text(problem.status, &problem.detail),
        ErrorFormat::Dyndns2 => reply::text(503, "911"),
        ErrorFormat::Polymath => {
            let error = PolymathError {
                error: &problem.detail,
            };
            reply::json(problem.status, &error)
        }
    }
}

fn finish(response: Response, audience: Audience, head: bool) -> worker::Result<Response> {
    let headers = response.headers();
    match audience {
        Audience::Public => {
            for (name, value) in PUBLIC_HEADERS {
                headers.set(name, value)?;
            }
        }
        Audience::Operator => {
            headers.set("Cache-Control", "no-store")?;
            headers.set(NO_SNIFFING.0, NO_SNIFFING.1)?;
        }
    }
    if !head {
        return Ok(response);
    }
    let builder = ResponseBuilder::new()
        .with_status(response.status_code())
        .with_headers(headers.clone());
    Ok(builder.empty())
}
