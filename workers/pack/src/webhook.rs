//! The outgoing webhook: tells another service what was published and what was refused.
//!
//! Signed as Standard Webhooks has it (standardwebhooks.com, specification 1.0): `webhook-id`,
//! `webhook-timestamp` and `webhook-signature`, whose `v1` is the HMAC-SHA-256 of
//! `<id>.<timestamp>.<body>` with the secret `WEBHOOK_SECRET` (`whsec_<base64>`). An answer other
//! than 2xx is tried again, by the queue; the id stays, so that a receiver knows it.

use std::time::Duration;

use edge::{Failure, clock, log, signature, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::{
    PackName, Timestamp,
    config::{PackConfig, PublicUrl},
    pack::Change,
};
use uuid::Uuid;
use worker::{AbortController, Env, Fetch, Headers, Method, Request, RequestInit, RequestRedirect};

use crate::{jobs::Refusal, registry::Registry};

/// The name of the secret.
const SECRET: &str = "WEBHOOK_SECRET";
/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same at every attempt.
    id: Uuid,
    /// `pack.published`, `pack.refused`.
    r#type: String,
    timestamp: Timestamp,
    data: Value,
    /// What the registry owes until the queue has this; `None` of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    publication: Option<Publication>,
}

/// A change of a pack, by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    pub pack: PackName,
    pub number: u64,
}

impl Notice {
    pub fn publication(&self) -> Option<&Publication> {
        self.publication.as_ref()
    }

    /// A channel points to another release: which, what it pointed to before, who did it, and how.
    /// `None` if the release is gone since.
    pub fn published(
        registry: &Registry,
        number: u64,
        change: &Change,
        public_url: &PublicUrl,
    ) -> Option<Self> {
        let sha1 = change.after.as_ref()?;
        let record = registry.record(change.channel.as_ref()?, sha1, public_url)?;
        let data = serde_json::json!({
            "action": change.action,
            "by": change.by,
            "pack": record.pack,
            "channel": record.channel,
            "release": record.release,
            "sha1": record.sha1,
            "previous": change.before,
            "url": record.url,
            "uuid": record.uuid,
            "size": record.size,
            "minecraft": record.minecraft,
            "warnings": registry.release(sha1)?.warnings,
        });
        Some(Self {
            id: registry.id_of(number),
            r#type: "pack.published".to_owned(),
            timestamp: change.at,
            data,
            publication: Some(Publication {
                pack: record.pack,
                number,
            }),
        })
    }

    /// Bytes were refused.
    pub fn refused(id: Uuid, refusal: &Refusal<'_>) -> Self {
        let data = serde_json::json!({
            "pack": refusal.pack,
            "by": refusal.by,
            "reason": refusal.reason,
        });
        Self {
            id,
            r#type: "pack.refused".to_owned(),
            timestamp: refusal.at,
            data,
            publication: None,
        }
    }

    /// What the receiver reads: without the id, which is a header.
    fn body(&self) -> String {
        let body = serde_json::json!({
            "type": self.r#type,
            "timestamp": self.timestamp,
            "data": self.data,
        });
        body.to_string()
    }
}

/// Delivers a notice. An error is to be tried again.
pub async fn deliver(env: &Env, config: &PackConfig, notice: &Notice) -> Result<(), Failure> {
    let Some(url) = &config.webhook_url else {
        return Ok(()); // switched off since
    };
    let wrong =
        |problem: &str| Failure::internal(format!("webhook: the secret {SECRET} {problem}"));
    let secret = env.secret(SECRET).map_err(|_| wrong("is not set"))?;
    let (id, body) = (format!("msg_{}", notice.id.simple()), notice.body());
    let timestamp = clock::now().as_seconds();
    let signed = signature::sign(&secret.to_string(), &id, timestamp, &body).map_err(wrong)?;
    let headers = Headers::new();
    headers.set("Content-Type", "application/json")?;
    headers.set("User-Agent", "genkan")?;
    headers.set("webhook-id", &id)?;
    headers.set("webhook-timestamp", &timestamp.to_string())?;
    headers.set("webhook-signature", &signed)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        // What is signed for one address is for no other.
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(body.into()));
    let request = Request::new_with_init(url.as_str(), &init)?;
    let (fetch, stop) = (Fetch::Request(request), AbortController::default());
    let signal = stop.signal();
    let Some(response) = clock::within(TIMEOUT, fetch.send_with_signal(&signal)).await else {
        stop.abort();
        return Err(Failure::internal("webhook: no answer within 15 s"));
    };
    let response = response?;
    let status = response.status_code();
    stream::dismiss(response).await;
    if !(200..300).contains(&status) {
        return Err(Failure::internal(format!("webhook: answered {status}")));
    }
    log::info("webhook", &format!("{} {id} delivered", notice.r#type));
    Ok(())
}
