//! What all workers say of the same thing, joined: `/metrics` and `/openapi.json`.
//!
//! Every worker of this project that is bound is asked over its binding, side by side and within a
//! time; one that does not answer leaves the others. State: none.

pub mod metrics;
pub mod openapi;

use edge::get;
use futures::future::join_all;
use worker::{Env, wasm_bindgen::JsValue};

/// The workers that are asked, and the bindings of them.
const WORKERS: [(&str, &str); 3] = [("pack", "PACK"), ("status", "STATUS"), ("ddns", "DDNS")];

/// How long one worker may take, in milliseconds, and how much it may say, in bytes.
const WITHIN_MS: u32 = 5000;
const LONGEST: u32 = 2_000_000;

/// What one worker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub worker: &'static str,
    /// `None`: it did not answer, or not with 200.
    pub text: Option<String>,
}

/// Asks all workers that are bound for `path`, with these headers. What one of them fails with goes to
/// the log.
pub async fn ask(env: &Env, path: &str, headers: &[(&str, &str)]) -> Vec<Part> {
    let bound = WORKERS.into_iter().filter_map(|(worker, binding)| {
        let service: JsValue = env.service(binding).ok()?.into_rpc();
        Some((worker, service))
    });
    let asked = bound.map(async |(worker, service)| {
        let url = format!("https://{worker}{path}");
        let text = get::text_from(&service, &url, headers, WITHIN_MS, LONGEST).await;
        let text = text.inspect_err(|error| edge::log::warn(worker, &format!("{path}: {error}")));
        Part {
            worker,
            text: text.ok(),
        }
    });
    join_all(asked).await
}
