//! `GET /openapi.json`: the worker's own part of the contract, made at build.

use std::sync::OnceLock;

use worker::{Request, Response};

use crate::{Failure, reply};

/// The text of a contract, and its tag once it was asked for.
pub struct Contract {
    text: &'static str,
    tag: OnceLock<String>,
}

impl Contract {
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            tag: OnceLock::new(),
        }
    }

    pub fn answer(&self, request: &Request) -> Result<Response, Failure> {
        let text = self.text.as_bytes();
        let tag = self.tag.get_or_init(|| reply::tag_of(text));
        reply::tagged(request.headers(), tag, reply::JSON, || Ok(text.to_vec()))
    }
}
