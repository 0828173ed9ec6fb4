//! The resolver's port over the runtime's `fetch`.

use std::time::Duration;

use edge::{clock, log};
use futures::{
    TryStreamExt as _,
    future::{Either, select},
};
use types::{
    Timestamp,
    config::{DohUrl, StatusConfig},
};
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Headers, Request, RequestInit, RequestRedirect,
};

use crate::{
    dns::{Kind, MAX_BODY},
    resolve,
};

/// A server for DNS-over-HTTPS, with a time-out on each question.
pub struct Doh<'a> {
    url: &'a DohUrl,
    timeout_ms: u32,
}

impl<'a> Doh<'a> {
    pub fn new(config: &'a StatusConfig) -> Self {
        Self {
            url: &config.doh_url,
            timeout_ms: config.doh_timeout_ms,
        }
    }
}

impl resolve::Doh for Doh<'_> {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn ask(&self, name: &str, kind: Kind) -> Result<Vec<u8>, String> {
        let url = self.url.as_str();
        let separator = if url.contains('?') { '&' } else { '?' };
        // A name has no character that would need escaping: `Address` sees to it.
        let url = format!("{url}{separator}name={name}&type={}", kind.as_str());
        let controller = AbortController::default();
        let timeout = Duration::from_millis(self.timeout_ms.into());
        let answer = {
            let signal = controller.signal();
            let fetched = Box::pin(fetch(&url, &signal));
            match select(fetched, Delay::from(timeout)).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(format!("no answer within {} ms", self.timeout_ms)),
            }
        };
        if answer.is_err() {
            // It holds one of six connections until it is let go of.
            controller.abort();
        }
        answer
    }

    fn warn(&self, message: &str) {
        log::warn("dns", message);
    }
}

async fn fetch(url: &str, signal: &AbortSignal) -> Result<Vec<u8>, String> {
    let text = |error: worker::Error| error.to_string();
    let headers = Headers::new();
    headers
        .set("Accept", "application/dns-json")
        .map_err(text)?;
    let mut init = RequestInit::new();
    init.with_headers(headers)
        .with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init).map_err(text)?;
    let response = Fetch::Request(request).send_with_signal(signal).await;
    let mut response = response.map_err(text)?;
    if response.status_code() != 200 {
        return Err(format!("answered {}", response.status_code()));
    }
    let mut chunks = response.stream().map_err(text)?;
    let mut body = Vec::new();
    while let Some(chunk) = chunks.try_next().await.map_err(text)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Err(format!("an answer of more than {MAX_BODY} bytes"));
        }
    }
    Ok(body)
}
