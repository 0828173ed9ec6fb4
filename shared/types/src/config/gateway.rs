//! Configuration of the `gateway` worker: its route table.

use std::fmt;

use serde::Deserialize;

use super::{Config, InvalidConfig, duplicate};

/// Which hosts a route is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum HostPattern {
    /// Every host that no other pattern names.
    #[default]
    Any,
    /// Exactly this one, in lower case.
    Exact(String),
    /// Every host below this suffix: `*.example.com` holds `example.com` here.
    Below(String),
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text.as_str(), false),
        };
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty()
            || name.len() > 253
            || !name.bytes().all(good)
            || name.starts_with('.')
            || name.ends_with('.')
        {
            return Err(format!(
                "{text:?} is not a host name or \"*.\" and one, without port"
            ));
        }
        let name = name.to_ascii_lowercase();
        Ok(if below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }
}

/// A path that a route is for, with everything below it: `/api/pack` is for `/api/pack` and
/// `/api/pack/latest`, not for `/api/packs`. Kept without a slash at the end; `/` is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PathPrefix(String);

impl PathPrefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.starts_with('/')
            && !text.contains(['?', '#', '%', '\\', ' '])
            && !text.contains("//")
            && text
                .split('/')
                .all(|segment| segment != "." && segment != "..");
        if plain {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(format!("{text:?} is not a plain path that starts with '/'"))
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    #[serde(default)]
    pub host: HostPattern,
    pub path: PathPrefix,
    /// A service binding, in any case and with `-` for `_`: `pack` is the binding `PACK`.
    pub worker: String,
}

impl Route {
    /// The name of the service binding that serves this route.
    pub fn binding(&self) -> String {
        self.worker.to_ascii_uppercase().replace('-', "_")
    }
}

/// `rp.example.com/ -> pack`, as logs and errors name a route; `*` is every host.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Exact(name) => f.write_str(name)?,
            HostPattern::Below(suffix) => write!(f, "*.{suffix}")?,
        }
        let path = match self.path.as_str() {
            "" => "/",
            path => path,
        };
        write!(f, "{path} -> {}", self.worker)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    pub routes: Vec<Route>,
}

impl Config for GatewayConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        for (index, route) in self.routes.iter().enumerate() {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if route.worker.is_empty() || !route.worker.bytes().all(good) {
                return Err(InvalidConfig::new(
                    format!("routes[{index}].worker"),
                    format!("{:?} is not the name of a worker", route.worker),
                ));
            }
        }
        match duplicate(self.routes.iter().map(|route| (&route.host, &route.path))) {
            Some((index, _)) => Err(InvalidConfig::new(
                format!("routes[{index}]"),
                "an earlier route has the same host and path, so this one is never reached",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn error(routes: &Value) -> String {
        GatewayConfig::parse(json!({ "routes": routes }))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn wrong_routes_are_named() {
        for (route, key) in [
            (json!({"path": "api", "worker": "pack"}), "routes[0].path"),
            (
                json!({"path": "/a/../b", "worker": "pack"}),
                "routes[0].path",
            ),
            (json!({"path": "/", "worker": ""}), "routes[0].worker"),
            (json!({"path": "/", "worker": "pa ck"}), "routes[0].worker"),
            (
                json!({"path": "/", "host": "*.", "worker": "pack"}),
                "routes[0].host",
            ),
            (
                json!({"path": "/", "host": "a:80", "worker": "pack"}),
                "routes[0].host",
            ),
            (
                json!({"path": "/", "worker": "pack", "orgin": "x"}),
                "routes[0].orgin",
            ),
        ] {
            let error = error(&json!([route]));
            assert!(error.starts_with(&format!("[vars] {key}:")), "{error}");
        }
    }

    #[test]
    fn a_route_that_is_there_twice_is_refused() {
        let twice = json!([
            {"host": "A.example.com", "path": "/x", "worker": "pack"},
            {"host": "a.example.com", "path": "/x/", "worker": "ddns"},
        ]);
        assert!(error(&twice).starts_with("[vars] routes[1]: an earlier route"));
    }

    #[test]
    fn a_route_is_named_by_what_it_matches_and_where_it_leads() {
        let table = json!({"routes": [
            {"host": "RP.example.com", "path": "/", "worker": "pack"},
            {"host": "*.example.com", "path": "/a/", "worker": "my-app"},
            {"path": "/ip", "worker": "ddns"},
        ]});
        let table = GatewayConfig::parse(table).unwrap();
        let names: Vec<_> = table.routes.iter().map(Route::to_string).collect();
        assert_eq!(
            names,
            [
                "rp.example.com/ -> pack",
                "*.example.com/a -> my-app",
                "*/ip -> ddns"
            ]
        );
        assert_eq!(table.routes[1].binding(), "MY_APP");
    }
}
