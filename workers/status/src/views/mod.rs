//! The shapes in which a status is served, each made of the body of `GET /api/status`.
//!
//! | Module | Route |
//! |---|---|
//! | [`mcstatus`] | `GET /v2/status/java/<address>` |
//! | [`mcsrvstat`] | `GET /3/<address>` |
//! | [`icon`] | `GET /icon`, `GET /icon/<target>` |
//! | [`badge`] | `GET /badge/status/<target>.svg` |
//! | [`metrics`] | `GET /metrics` |

pub mod badge;
pub mod icon;
pub mod mcsrvstat;
pub mod mcstatus;
pub mod metrics;

use types::{
    Timestamp,
    config::{Address, Target},
    status::Status,
};

/// The target whose `address` this is: `host` or `host:port` in any case, with or without the dot
/// of a full name at its end. Without a port, 25565 is meant.
pub fn addressed<'a>(targets: &'a [Target], address: &str) -> Option<&'a Target> {
    let asked: Address = address.parse().ok()?;
    let host = asked.host.strip_suffix('.').unwrap_or(&asked.host);
    targets.iter().find(|target| {
        let own = &target.address;
        own.host.strip_suffix('.').unwrap_or(&own.host) == host
            && own.port_or_default() == asked.port_or_default()
    })
}

/// For how long the systems that are imitated keep an answer, in seconds.
const KEPT_SECONDS: i64 = 60;

/// When asking again may tell more: a minute after the observation, and never in the past.
fn expires_at(status: &Status<'_>, now: Timestamp) -> Timestamp {
    let next = status.retrieved_at.plus_seconds(KEPT_SECONDS);
    next.max(now.plus_seconds(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::target;

    #[test]
    fn an_address_is_found_as_players_type_it() {
        let at = |address: &str| Target {
            address: address.parse().unwrap(),
            ..target()
        };
        let targets = [
            at("MC.example.com"),
            at("mc.example.com:25570"),
            at("[::1]"),
        ];
        let found = |address| {
            let target = addressed(&targets, address)?;
            Some(target.address.to_string())
        };
        for (asked, address) in [
            ("mc.example.com", Some("mc.example.com")),
            ("Mc.Example.COM:25565", Some("mc.example.com")),
            ("mc.example.com.", Some("mc.example.com")),
            ("mc.example.com:25570", Some("mc.example.com:25570")),
            ("[::1]:25565", Some("[::1]")),
            ("mc.example.com:25571", None),
            ("example.com", None),
            ("mc.example.com:", None),
            ("mc.example.com:65536", None),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(found(asked).as_deref(), address, "{asked}");
        }
    }
}
