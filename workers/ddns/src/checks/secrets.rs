//! The secret `CHECKS`: a JSON object of texts by name, for headers and heartbeat keys.

use std::collections::BTreeMap;

use types::config::services::SecretName;

/// The name of the secret.
pub const SECRET: &str = "CHECKS";
/// A text shorter than this is no secret, and taking it out would only make holes.
const SHORTEST: usize = 6;

/// The texts of the secret. `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Reads the secret. The error says what is wrong with it, not what it is.
    pub fn parse(json: &str) -> Result<Self, String> {
        let parsed = serde_json::from_str(json);
        parsed
            .map(Self)
            .map_err(|_| format!("the secret {SECRET} is not a JSON object of texts"))
    }

    pub fn get(&self, name: &SecretName) -> Option<&str> {
        self.0.get(name.as_str()).map(String::as_str)
    }

    /// A text with all secrets in it struck out: what was asked with a secret may say it again.
    pub fn redact(&self, text: &str) -> String {
        let long = self.0.values().filter(|secret| secret.len() >= SHORTEST);
        long.fold(text.to_owned(), |text, secret| {
            let bare = secret.split_whitespace().last().unwrap_or(secret);
            let text = text.replace(secret.as_str(), "***");
            if bare.len() >= SHORTEST {
                text.replace(bare, "***")
            } else {
                text
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_texts_by_name_and_are_struck_out() {
        let secrets = Secrets::parse(r#"{"NAS":"Bearer abc123xyz","PIN":"12"}"#).unwrap();
        assert_eq!(
            secrets.get(&"NAS".parse().unwrap()),
            Some("Bearer abc123xyz")
        );
        assert_eq!(secrets.get(&"nas".parse().unwrap()), None);
        assert_eq!(
            secrets.redact("got Bearer abc123xyz and 12"),
            "got *** and 12"
        );
        assert_eq!(secrets.redact("token=abc123xyz"), "token=***");
        assert_eq!(format!("{secrets:?}"), r#"{"NAS", "PIN"}"#);
        for bad in ["", "[]", r#"{"a":1}"#, "hunter22"] {
            let error = Secrets::parse(bad).unwrap_err();
            assert_eq!(error, "the secret CHECKS is not a JSON object of texts");
        }
    }
}
