//! What a handler returns when it does not answer: a problem for the client, or an inner error
//! that goes to the log in full and to the client as nothing but `internal`.

use std::convert::Infallible;

use types::{Code, Problem};

/// Why a request was not answered as asked.
#[derive(Debug)]
pub enum Failure {
    /// The client is told exactly this, with these headers.
    Problem {
        problem: Problem,
        headers: Vec<(&'static str, String)>,
    },
    /// The log is told this, the client only that something failed.
    Internal(String),
}

impl Failure {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// Adds a header to the answer of a problem.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Problem { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    /// What happened, for the log.
    pub fn into_message(self) -> String {
        match self {
            Self::Internal(message) => message,
            Self::Problem { problem, .. } => problem.detail,
        }
    }

    /// What the client is told.
    pub fn into_problem(self) -> (Problem, Vec<(&'static str, String)>) {
        match self {
            Self::Problem { problem, headers } => (problem, headers),
            Self::Internal(_) => {
                let detail = "something failed on our side; the operator's log says what";
                (Problem::new(Code::Internal, detail), Vec::new())
            }
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem {
            problem,
            headers: Vec::new(),
        }
    }
}

/// What cannot fail.
impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<worker::Error> for Failure {
    fn from(error: worker::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// 404. `what` completes "there is no …".
pub fn not_found(what: &str) -> Failure {
    Failure::new(Code::NotFound, format!("there is no {what}"))
}

/// 405 with the methods that the path does take.
pub fn method_not_allowed(allow: &'static str) -> Failure {
    Failure::new(Code::MethodNotAllowed, format!("this path takes {allow}"))
        .with_header("Allow", allow)
}
