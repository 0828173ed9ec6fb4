//! Questions to a server for DNS-over-HTTPS, in JSON: asked with [`ask`], read with [`read`].
//!
//! Spec: "Using JSON" (developers.cloudflare.com/1.1.1.1), the format of `application/dns-json`.

mod answer;

pub use answer::{Answer, MAX_BODY, NOERROR, NXDOMAIN, NoDns, Record, Srv, read};

use types::RecordType;

use crate::get;

/// Asks `server` for the records of `name`. The answer is for [`read`]; the error says what is
/// wrong with the server, or that `name` can be no name.
pub async fn ask(
    server: &str,
    name: &str,
    kind: RecordType,
    timeout_ms: u32,
) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.len() > 254 || !name.bytes().all(good) {
        return Err("not a name that DNS can be asked for".to_owned());
    }
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}name={name}&type={}", kind.as_str());
    get::text(&url, "application/dns-json", timeout_ms, MAX_BODY).await
}
