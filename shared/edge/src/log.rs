//! Logging: one line of JSON an event, to the console that `wrangler tail` reads.
//!
//! A line names the worker's route, never the URL, and no header: there is no place in it where a
//! token could stand.

use serde::Serialize;
use worker::{console_error, console_log, console_warn};

/// What was asked and how it went.
#[derive(Debug, Serialize)]
pub(crate) struct RequestLine<'a> {
    pub worker: &'a str,
    /// The route's name, with placeholders: `GET /packs/<sha1>.zip`.
    pub route: &'a str,
    pub method: &'a str,
    pub status: u16,
    pub duration_ms: i64,
    /// The inner error of a 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
}

/// A request that was passed on, and how its answer began.
#[derive(Debug, Serialize)]
pub struct PassedLine<'a> {
    pub worker: &'a str,
    /// The route's name.
    pub route: &'a str,
    /// Who answered; null when the worker itself did without a route.
    pub upstream: Option<&'a str>,
    pub method: &'a str,
    pub status: u16,
    /// The length that the answer declares; null when it is not known before its end.
    pub bytes: Option<u64>,
    /// From the request to the first byte of its answer.
    pub first_byte_ms: i64,
    /// The trace id (W3C Trace Context).
    pub trace: &'a str,
    /// What the client is not told of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    level: &'a str,
    about: &'a str,
    message: &'a str,
}

fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

/// The line of a request that was answered without waiting for anything.
pub(crate) fn fast(worker: &str, route: &str, method: &str, status: u16) -> String {
    json(&RequestLine {
        worker,
        route,
        method,
        status,
        duration_ms: 0,
        error: None,
    })
}

pub(crate) fn request(line: &RequestLine<'_>) {
    by_status(line.status, line);
}

pub fn passed(line: &PassedLine<'_>) {
    by_status(line.status, line);
}

fn by_status(status: u16, line: &impl Serialize) {
    if status >= 500 {
        console_error!("{}", json(line));
    } else {
        console_log!("{}", json(line));
    }
}

#[derive(Serialize)]
struct DataLine<'a, T> {
    level: &'a str,
    about: &'a str,
    message: &'a str,
    data: &'a T,
}

/// Something that happened, with all that is to be known of it.
pub fn data(about: &str, message: &str, data: &impl Serialize) {
    console_log!(
        "{}",
        json(&DataLine {
            level: "info",
            about,
            message,
            data
        })
    );
}

/// Something that an operator has to act on.
pub fn error(about: &str, message: &str) {
    console_error!(
        "{}",
        json(&Line {
            level: "error",
            about,
            message
        })
    );
}

/// Something that was survived.
pub fn warn(about: &str, message: &str) {
    console_warn!(
        "{}",
        json(&Line {
            level: "warn",
            about,
            message
        })
    );
}

/// Something that happened.
pub fn info(about: &str, message: &str) {
    console_log!(
        "{}",
        json(&Line {
            level: "info",
            about,
            message
        })
    );
}
