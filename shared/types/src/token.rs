//! Tokens and scopes: who may do what.
//!
//! The secret `TOKENS` is a JSON array of `{"name","sha256","scopes"}`. Only the SHA-256 of a
//! random 256-bit token is stored, so that the secret gives nobody a token; a presented token is
//! hashed and compared in constant time with every entry.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

/// What a token can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    PackWrite,
    StatusWrite,
    DdnsUpdate,
    OpsRead,
    OpsWrite,
    HeartbeatWrite,
}

impl Action {
    pub const ALL: [Self; 6] = [
        Self::PackWrite,
        Self::StatusWrite,
        Self::DdnsUpdate,
        Self::OpsRead,
        Self::OpsWrite,
        Self::HeartbeatWrite,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PackWrite => "pack:write",
            Self::StatusWrite => "status:write",
            Self::DdnsUpdate => "ddns:update",
            Self::OpsRead => "ops:read",
            Self::OpsWrite => "ops:write",
            Self::HeartbeatWrite => "heartbeat:write",
        }
    }
}

/// An action, for everything or narrowed to one resource: `pack:write`, `pack:write:main`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    pub action: Action,
    pub resource: Option<String>,
}

impl Scope {
    /// Whether this scope covers `action` on `resource`. A narrowed scope covers its own resource
    /// alone, and nothing that concerns all of them (`resource` of `None`).
    pub fn covers(&self, action: Action, resource: Option<&str>) -> bool {
        self.action == action
            && match &self.resource {
                None => true,
                Some(own) => resource.is_some_and(|asked| asked.eq_ignore_ascii_case(own)),
            }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            let known: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
            format!(
                "unknown scope {text:?}; known are {}, each with an optional \":resource\"",
                known.join(", ")
            )
        };
        let action = Action::ALL
            .into_iter()
            .find(|action| {
                text.strip_prefix(action.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            })
            .ok_or_else(unknown)?;
        match text
            .strip_prefix(action.as_str())
            .and_then(|rest| rest.strip_prefix(':'))
        {
            Some("") => Err(format!(
                "scope {text:?} names no resource after the last ':'"
            )),
            resource => Ok(Self {
                action,
                resource: resource.map(str::to_owned),
            }),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.as_str())?;
        self.resource
            .iter()
            .try_for_each(|resource| write!(f, ":{resource}"))
    }
}

/// The SHA-256 of a token, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl TryFrom<String> for TokenHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| "\"sha256\" is not 64 hexadecimal digits".to_owned())?;
        Ok(Self(bytes))
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hex::encode(hash.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// One entry of `TOKENS`. `name` goes into logs and histories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    pub name: String,
    pub sha256: TokenHash,
    pub scopes: Vec<Scope>,
}

impl TokenEntry {
    /// Whether the token allows `action` on `resource`; the error is the scope that it lacks.
    pub fn allows(&self, action: Action, resource: Option<&str>) -> Result<(), Scope> {
        if (self.scopes.iter()).any(|scope| scope.covers(action, resource)) {
            return Ok(());
        }
        let resource = resource.map(str::to_owned);
        Err(Scope { action, resource })
    }
}

/// A token as a client sent it. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented(String);

impl Presented {
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(…)")
    }
}

/// All tokens of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tokens(Vec<TokenEntry>);

impl Tokens {
    /// Reads the secret. The error says what is wrong and never quotes the secret itself.
    pub fn parse(secret: &str) -> Result<Self, String> {
        let tokens: Self = serde_json::from_str(secret).map_err(|error| {
            format!(
                "TOKENS is not a JSON array of {{\"name\",\"sha256\",\"scopes\"}} (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        if let Some(unnamed) = tokens
            .0
            .iter()
            .position(|entry| entry.name.trim().is_empty())
        {
            return Err(format!("TOKENS entry {unnamed} has an empty \"name\""));
        }
        Ok(tokens)
    }

    pub fn new(entries: Vec<TokenEntry>) -> Self {
        Self(entries)
    }

    /// The entry of a presented token. Looks at every entry whatever it finds, each compared in
    /// constant time.
    pub fn find(&self, presented: &Presented) -> Option<&TokenEntry> {
        let hash = TokenHash::of(&presented.0);
        let mut found = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.0) {
            found.conditional_assign(&index, entry.sha256.0.ct_eq(&hash.0));
        }
        self.0.get(usize::try_from(found).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens() -> Tokens {
        Tokens::parse(&format!(
            r#"[{{"name":"ci","sha256":"{}","scopes":["pack:write"]}},
                {{"name":"router","sha256":"{}","scopes":["ddns:update:home.example.com"]}}]"#,
            String::from(TokenHash::of("one")),
            String::from(TokenHash::of("two")),
        ))
        .unwrap()
    }

    #[test]
    fn a_scope_covers_its_resource_and_no_other() {
        let all: Scope = "pack:write".parse().unwrap();
        let main: Scope = "pack:write:main".parse().unwrap();
        assert!(all.covers(Action::PackWrite, Some("main")));
        assert!(all.covers(Action::PackWrite, None));
        assert!(main.covers(Action::PackWrite, Some("main")));
        assert!(!main.covers(Action::PackWrite, Some("mainly")));
        assert!(!main.covers(Action::PackWrite, None));
        assert!(!all.covers(Action::StatusWrite, Some("main")));
    }

    #[test]
    fn scopes_that_do_not_exist_are_refused() {
        for bad in [
            "",
            "pack",
            "pack:read",
            "pack:writer",
            "pack:write:",
            "PACK:WRITE",
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_is_found_by_its_hash_and_judged_by_its_scopes() {
        let tokens = tokens();
        let ci = Presented::new("one");
        let entry = tokens.find(&ci).unwrap();
        assert_eq!(entry.name, "ci");
        assert_eq!(entry.allows(Action::PackWrite, Some("main")), Ok(()));
        let lacks = entry.allows(Action::OpsRead, None);
        assert_eq!(lacks, Err("ops:read".parse().unwrap()));
        for stranger in ["", "three", "one ", "One"] {
            let found = tokens.find(&Presented::new(stranger));
            assert_eq!(found, None, "{stranger:?}");
        }
    }

    #[test]
    fn a_malformed_secret_is_an_error_that_does_not_quote_it() {
        for secret in [
            "",
            "{}",
            "hunter2",
            r#"[{"name":"hunter2"}]"#,
            r#"[{"name":"","sha256":"0000000000000000000000000000000000000000000000000000000000000000","scopes":[]}]"#,
            r#"[{"name":"a","sha256":"hunter2","scopes":[]}]"#,
            r#"[{"name":"a","sha256":"0000000000000000000000000000000000000000000000000000000000000000","scopes":["hunter2"]}]"#,
        ] {
            let error = Tokens::parse(secret).unwrap_err();
            assert!(
                error.starts_with("TOKENS") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn nothing_secret_is_in_debug_output() {
        let shown = format!("{:?} {:?}", Presented::new("hunter2"), tokens());
        assert!(!shown.contains("hunter2"));
        assert!(!shown.contains(&String::from(TokenHash::of("one"))));
    }

    #[test]
    fn the_stored_form_is_pinned() {
        let tokens = Tokens::new(vec![TokenEntry {
            name: "ci".to_owned(),
            sha256: TokenHash::of("one"),
            scopes: vec!["pack:write:main".parse().unwrap()],
        }]);
        assert_eq!(
            serde_json::to_string(&tokens).unwrap(),
            r#"[{"name":"ci","sha256":"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","scopes":["pack:write:main"]}]"#
        );
    }

    proptest! {
        #[test]
        fn a_scope_reads_back_as_written(index in 0..Action::ALL.len(), resource in proptest::option::of("[ -~]{1,40}")) {
            let scope = Scope { action: Action::ALL[index], resource };
            prop_assert_eq!(scope.to_string().parse(), Ok(scope));
        }
    }
}
