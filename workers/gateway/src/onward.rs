//! The headers of a request as it goes on: what ends at the gateway, and what only the gateway may
//! say.
//!
//! Hop-by-hop headers are those of RFC 9110, section 7.6.1, and their older kin; the runtime itself
//! deals with `Transfer-Encoding`, and with `TE`, which no worker sees.

/// What a client's request never takes along: hop-by-hop headers, what only a proxy in front may
/// say about where a request came from, and the service token of Cloudflare Access. All that starts
/// with `X-Forwarded-` ends here as well.
pub const DROPPED: &[&str] = &[
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "cf-access-client-id",
    "cf-access-client-secret",
];

/// What `Connection` may name without it being dropped: it says how, not that it ends here, or the
/// request would mean something else without it. Nor what the platform says (`CF-…`).
const KEPT: [&str; 7] = [
    "authorization",
    "close",
    "content-length",
    "content-type",
    "cookie",
    "origin",
    "upgrade",
];

/// What a request says about itself, as far as it decides about headers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    pub connection: Option<&'a str>,
    pub upgrade: Option<&'a str>,
}

/// The headers that this request does not take along, in lower case.
pub fn dropped(said: Said<'_>) -> Vec<String> {
    let mut names: Vec<String> = DROPPED.iter().map(|name| (*name).to_owned()).collect();
    let hops = said.connection.unwrap_or("").split(',');
    names.extend(
        hops.map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| {
                let kept = name.starts_with("cf-") || KEPT.contains(&name.as_str());
                !name.is_empty() && !kept
            }),
    );
    if !is_websocket(said.upgrade) {
        names.push("upgrade".to_owned());
    }
    names
}

/// Whether a request wants to become a WebSocket: the one upgrade that passes.
pub fn is_websocket(upgrade: Option<&str>) -> bool {
    upgrade.is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Where a request came from, as the gateway knows it.
#[derive(Debug, Clone, Copy)]
pub struct CameFrom<'a> {
    /// The platform's word on the client's address.
    pub client: Option<&'a str>,
    pub https: bool,
    pub authority: &'a str,
    /// The part of the path that was taken off, when any was.
    pub prefix: Option<&'a str>,
}

/// The headers that say so.
pub fn came_from(from: CameFrom<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        (
            "x-forwarded-proto",
            if from.https { "https" } else { "http" }.to_owned(),
        ),
        ("x-forwarded-host", from.authority.to_owned()),
    ];
    if let Some(client) = from.client {
        headers.push(("x-forwarded-for", client.to_owned()));
        headers.push(("x-real-ip", client.to_owned()));
    }
    if let Some(prefix) = from.prefix.filter(|prefix| !prefix.is_empty()) {
        headers.push(("x-forwarded-prefix", prefix.to_owned()));
    }
    headers
}

/// The client for a rate limit: its address, or the network of an IPv6 address, which is what one
/// customer has (64 bits).
pub fn client_key(client: Option<&str>) -> String {
    let Some(client) = client else {
        return "unknown".to_owned();
    };
    let Ok(address) = client.parse::<std::net::Ipv6Addr>() else {
        return client.to_owned();
    };
    if let Some(address) = address.to_ipv4_mapped() {
        return address.to_string();
    }
    let [a, b, c, d, ..] = address.segments();
    format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_ends_here_too() {
        let said = Said {
            connection: Some("close, X-Hop ,, Upgrade, Cookie, CF-Connecting-IP"),
            upgrade: Some("h2c"),
        };
        let names = dropped(said);
        assert!(names.contains(&"x-hop".to_owned()));
        assert!(names.contains(&"upgrade".to_owned()));
        for kept in ["close", "cookie", "authorization", "cf-connecting-ip", ""] {
            assert!(!names.contains(&kept.to_owned()), "{kept}");
        }
    }

    #[test]
    fn only_a_websocket_keeps_its_upgrade() {
        for (upgrade, kept) in [
            (Some("websocket"), true),
            (Some(" WebSocket "), true),
            (Some("h2c"), false),
            (Some("websocket, h2c"), false),
            (None, false),
        ] {
            let said = Said {
                connection: None,
                upgrade,
            };
            let gone = dropped(said).contains(&"upgrade".to_owned());
            assert_eq!(!gone, kept, "{upgrade:?}");
        }
    }

    #[test]
    fn the_gateway_says_where_a_request_came_from() {
        let from = CameFrom {
            client: Some("192.0.2.7"),
            https: true,
            authority: "a.example.com:8443",
            prefix: Some("/app"),
        };
        let headers = came_from(from);
        let lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "x-forwarded-proto: https",
                "x-forwarded-host: a.example.com:8443",
                "x-forwarded-for: 192.0.2.7",
                "x-real-ip: 192.0.2.7",
                "x-forwarded-prefix: /app",
            ]
        );
        let nothing = CameFrom {
            client: None,
            https: false,
            prefix: Some(""),
            ..from
        };
        assert_eq!(came_from(nothing).len(), 2);
    }

    #[test]
    fn one_customer_is_one_client() {
        for (client, key) in [
            (Some("192.0.2.7"), "192.0.2.7"),
            (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:2::1"), "2001:db8:1:2::/64"),
            (Some("::ffff:192.0.2.7"), "192.0.2.7"),
            (None, "unknown"),
        ] {
            assert_eq!(client_key(client), key);
        }
    }
}
