//! Problem details for HTTP APIs (RFC 9457): the body of every error.

use serde::{Deserialize, Serialize};

use crate::pack::Available;

/// What kind of problem it is: stable for programs, each with one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    BadRequest,
    BadJson,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    LengthRequired,
    PreconditionFailed,
    TooLarge,
    RangeNotSatisfiable,
    Unprocessable,
    RateLimited,
    Internal,
    BadGateway,
    Unavailable,
    GatewayTimeout,
}

impl Code {
    /// The HTTP status and its reason phrase (RFC 9110, section 15).
    pub const fn status(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest | Self::BadJson => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::Conflict => (409, "Conflict"),
            Self::LengthRequired => (411, "Length Required"),
            Self::PreconditionFailed => (412, "Precondition Failed"),
            Self::TooLarge => (413, "Content Too Large"),
            Self::RangeNotSatisfiable => (416, "Range Not Satisfiable"),
            Self::Unprocessable => (422, "Unprocessable Content"),
            Self::RateLimited => (429, "Too Many Requests"),
            Self::Internal => (500, "Internal Server Error"),
            Self::BadGateway => (502, "Bad Gateway"),
            Self::Unavailable => (503, "Service Unavailable"),
            Self::GatewayTimeout => (504, "Gateway Timeout"),
        }
    }
}

/// A problem as the client sees it. `detail` is written for the person who reads it: what was
/// wrong and what to do; it never holds a secret or an inner error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: Code,
    /// What there is instead of what was asked for; left out when that is nothing.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub available: Box<[Available]>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let (status, title) = code.status();
        Self {
            r#type: "about:blank".to_owned(),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            code,
            available: Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_pinned() {
        let problem = Problem::new(Code::LengthRequired, "say how long the pack is");
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"about:blank","title":"Length Required","status":411,"detail":"say how long the pack is","code":"length-required"}"#
        );
    }

    #[test]
    fn what_is_available_stands_at_the_end() {
        let mut problem = Problem::new(Code::NotFound, "nothing for 1.16.5");
        problem.available = Box::new([Available {
            sha1: crate::Sha1::of(b""),
            formats: crate::pack::Formats {
                min: "34".to_owned(),
                max: "99".to_owned(),
            },
            minecraft: None,
        }]);
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"nothing for 1.16.5","code":"not-found","available":[{"sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709","formats":{"min":"34","max":"99"},"minecraft":null}]}"#
        );
    }
}
