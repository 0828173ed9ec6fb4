//! Configuration of the `gateway` worker: its route table, and what holds for all routes.

mod check;
mod matching;
mod policy;
mod route;
#[cfg(test)]
mod tests;
mod upstream;

use serde::Deserialize;

use super::{Config, InvalidConfig, duplicate};

pub use check::{Pattern, Surroundings, check};
pub use matching::{HostPattern, PathPrefix};
pub use policy::{Auth, Frame, Maintenance, Protection};
pub use route::Route;
pub use upstream::{
    BindingName, Origin, OriginUrl, Redirect, RedirectTarget, Respond, Site, Upstream,
};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    pub routes: Vec<Route>,
    /// Local development: plain HTTP is answered, nothing says that it will be HTTPS for ever, and an
    /// origin on this machine may be without it.
    #[serde(rename = "LOCAL", default)]
    pub local: bool,
    /// Plain HTTP is sent to HTTPS. Not in local development.
    #[serde(rename = "HTTPS_ONLY", default = "yes")]
    pub https_only: bool,
    /// How long a browser remembers that a host is HTTPS alone (RFC 6797), in seconds; 0: no header.
    #[serde(rename = "HSTS_SECONDS", default = "year")]
    pub hsts_seconds: u32,
    /// Whether that holds for every host below it as well.
    #[serde(rename = "HSTS_SUBDOMAINS", default)]
    pub hsts_subdomains: bool,
}

const fn yes() -> bool {
    true
}

const fn year() -> u32 {
    365 * 24 * 3600
}

impl Config for GatewayConfig {
    fn validate(&self) -> Result<(), InvalidConfig> {
        for (index, route) in self.routes.iter().enumerate() {
            if let Upstream::Origin(origin) = &route.upstream {
                let here = self.local && origin.url.is_loopback();
                if !origin.url.is_https() && !here {
                    return Err(InvalidConfig::new(
                        format!("routes[{index}].origin"),
                        format!(
                            "{route}: an origin is https, unless LOCAL = true and it is on this machine"
                        ),
                    ));
                }
            }
        }
        match duplicate((self.routes.iter()).map(|route| (&route.host, route.path.as_str()))) {
            Some((index, _)) => Err(InvalidConfig::new(
                format!("routes[{index}]"),
                format!(
                    "{}: an earlier route has the same host and path, so this one is never reached",
                    self.routes[index]
                ),
            )),
            None => Ok(()),
        }
    }
}
