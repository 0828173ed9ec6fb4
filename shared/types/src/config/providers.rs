//! DNS providers of the `ddns` worker's hosts, where they are reached, and the secret `PROVIDERS`.
//!
//! ```toml
//! [[vars.hosts.providers]]
//! kind = "cloudflare"
//! credentials = "zone"   # a key of the secret
//! create = true
//! ```
//!
//! The secret is a JSON object: `{"home":{"id":"mydns000000","password":"…"},"zone":{"token":"…"}}`.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::Value;

use super::{HostName, InvalidConfig, duplicate};

/// Who keeps a host's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// MyDNS.jp, told through `directip`.
    Mydns,
    /// Cloudflare DNS, by its API.
    Cloudflare,
}

impl ProviderKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mydns => "mydns",
            Self::Cloudflare => "cloudflare",
        }
    }
}

/// One provider of one host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    pub kind: ProviderKind,
    /// The key of its credentials in the secret `PROVIDERS`.
    pub credentials: String,
    /// Whether an update is only good when this provider took it.
    #[serde(default = "yes")]
    pub required: bool,
    /// Cloudflare: whether a record that is not there is created.
    #[serde(default)]
    pub create: bool,
    /// Cloudflare: the zone that the host is in. Otherwise it is looked for.
    pub zone: Option<HostName>,
    /// Cloudflare: of a record that is created, in seconds; 1, which is the default, is "automatic".
    pub ttl: Option<u32>,
    /// Cloudflare: of a record that is created; not proxied by default.
    pub proxied: Option<bool>,
}

fn yes() -> bool {
    true
}

/// The longest name of credentials.
const MAX_NAME: usize = 40;

impl Provider {
    /// What this provider is called in logs and answers: `cloudflare/zone`. No two of a host have
    /// the same.
    pub fn name(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.credentials)
    }

    /// The key that is wrong, and what is.
    fn validate(&self, host: &HostName) -> Result<(), (&'static str, String)> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let name = &self.credentials;
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(good) {
            let message = format!("must be 1 to {MAX_NAME} letters, digits, - and _");
            return Err(("credentials", message));
        }
        let only = |key, when: &str| Err((key, format!("is only for {when}")));
        if self.kind == ProviderKind::Mydns {
            let settings = [
                ("create", self.create),
                ("zone", self.zone.is_some()),
                ("ttl", self.ttl.is_some()),
                ("proxied", self.proxied.is_some()),
            ];
            return match settings.into_iter().find(|(_, given)| *given) {
                Some((key, _)) => only(key, "kind = \"cloudflare\""),
                None => Ok(()),
            };
        }
        if let Some(zone) = &self.zone {
            let (host, zone) = (host.as_str(), zone.as_str());
            let above = host.strip_suffix(zone);
            if !above.is_some_and(|above| above.is_empty() || above.ends_with('.')) {
                return Err(("zone", format!("\"{host}\" is not in \"{zone}\"")));
            }
        }
        match (self.create, self.ttl, self.proxied) {
            (false, Some(_), _) => only("ttl", "create = true"),
            (false, _, Some(_)) => only("proxied", "create = true"),
            (_, Some(ttl), _) if ttl != 1 && !(30..=86_400).contains(&ttl) => {
                Err(("ttl", "must be 1 or from 30 to 86400".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// Checks the providers of a host. The key of an error begins at `providers`.
pub fn validate(host: &HostName, providers: &[Provider]) -> Result<(), InvalidConfig> {
    for (index, provider) in providers.iter().enumerate() {
        if let Err((key, message)) = provider.validate(host) {
            let key = format!("providers[{index}].{key}");
            return Err(InvalidConfig::new(key, message));
        }
    }
    let names = providers
        .iter()
        .map(|provider| (provider.kind, provider.credentials.as_str()));
    match duplicate(names) {
        Some((index, (_, name))) => Err(InvalidConfig::new(
            format!("providers[{index}].credentials"),
            format!("\"{name}\" is there twice"),
        )),
        None => Ok(()),
    }
}

/// Where a provider is reached: https, or http to this machine; no query, no slash at the end.
/// Credentials go there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderUrl(String);

impl ProviderUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The default of `MYDNS_URL`.
    pub fn mydns() -> Self {
        Self("https://www.mydns.jp/directip.html".to_owned())
    }

    /// The default of `CLOUDFLARE_API`.
    pub fn cloudflare() -> Self {
        Self("https://api.cloudflare.com/client/v4".to_owned())
    }
}

impl TryFrom<String> for ProviderUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let authority = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
        let safe = match text.strip_prefix("http://").map(authority) {
            Some(authority) => ["127.0.0.1", "[::1]", "localhost"].iter().any(|own| {
                let port = authority.strip_prefix(own);
                port.is_some_and(|port| port.is_empty() || port.starts_with(':'))
            }),
            None => text
                .strip_prefix("https://")
                .is_some_and(|rest| !authority(rest).is_empty()),
        };
        let good = |byte: u8| byte.is_ascii_graphic() && !b"?#@\"'<>\\".contains(&byte);
        if safe && text.bytes().all(good) && !text.ends_with('/') {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is not an https URL (or http://127.0.0.1) without a query and a slash at the end"
            ))
        }
    }
}

/// What one account is used with. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The master id and password of a MyDNS.jp account.
    Mydns { id: String, password: String },
    /// A Cloudflare API token: Zone:Read, DNS:Edit.
    Cloudflare { token: String },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mydns { .. } => "Mydns(…)",
            Self::Cloudflare { .. } => "Cloudflare(…)",
        })
    }
}

/// All that the secret `PROVIDERS` holds. One malformed entry concerns nobody but who needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSecrets(Result<BTreeMap<String, Result<Credentials, String>>, String>);

impl ProviderSecrets {
    /// Reads the secret; `None` when there is none. What is wrong is said by [`Self::get`].
    pub fn parse(secret: Option<&str>) -> Self {
        let Some(secret) = secret else {
            return Self(Err("the secret PROVIDERS is not set".to_owned()));
        };
        let entries: Result<Value, _> = serde_json::from_str(secret);
        Self(match entries {
            Ok(Value::Object(entries)) => Ok(entries
                .into_iter()
                .map(|(name, entry)| (name, read(&entry)))
                .collect()),
            Ok(_) => Err("the secret PROVIDERS is not a JSON object".to_owned()),
            Err(error) => Err(format!(
                "the secret PROVIDERS is not JSON (line {}, column {})",
                error.line(),
                error.column()
            )),
        })
    }

    /// The credentials of a provider. The error names them and quotes nothing of the secret.
    pub fn get(&self, provider: &Provider) -> Result<&Credentials, String> {
        let name = &provider.credentials;
        let wrong = |what: &str| format!("credentials \"{name}\": {what}");
        let entries = self.0.as_ref().map_err(|what| wrong(what))?;
        let entry = entries
            .get(name)
            .ok_or_else(|| wrong("the secret PROVIDERS has no such key"))?;
        let credentials = entry.as_ref().map_err(|what| wrong(what))?;
        match (provider.kind, credentials) {
            (ProviderKind::Mydns, Credentials::Mydns { .. })
            | (ProviderKind::Cloudflare, Credentials::Cloudflare { .. }) => Ok(credentials),
            (ProviderKind::Mydns, _) => Err(wrong("mydns needs \"id\" and \"password\"")),
            (ProviderKind::Cloudflare, _) => Err(wrong("cloudflare needs \"token\"")),
        }
    }
}

/// The longest credential, in bytes.
const MAX_CREDENTIAL: usize = 512;

fn read(entry: &Value) -> Result<Credentials, String> {
    let shape = || "is neither {\"id\",\"password\"} nor {\"token\"}".to_owned();
    let entry = entry.as_object().ok_or_else(shape)?;
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let credentials = match (text("id"), text("password"), text("token")) {
        (Some(id), Some(password), None) => Credentials::Mydns {
            id: id.to_owned(),
            password: password.to_owned(),
        },
        (None, None, Some(token)) => Credentials::Cloudflare {
            token: token.to_owned(),
        },
        _ => return Err(shape()),
    };
    let keys = match &credentials {
        Credentials::Mydns { .. } => 2,
        Credentials::Cloudflare { .. } => 1,
    };
    if entry.len() != keys {
        return Err(shape());
    }
    // A token goes into a header, and neither id nor token has a space.
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let shown = |text: &str| !text.chars().any(char::is_control);
    let sound = |text: &str| (1..=MAX_CREDENTIAL).contains(&text.len());
    let good = match &credentials {
        Credentials::Mydns { id, password } => {
            sound(id) && plain(id) && sound(password) && shown(password)
        }
        Credentials::Cloudflare { token } => sound(token) && plain(token),
    };
    if good {
        Ok(credentials)
    } else {
        Err("a value is empty, too long, or has characters that cannot be sent".to_owned())
    }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;
