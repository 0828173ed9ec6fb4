//! The gateway's own routes, on every host that has none in the table: the table itself for
//! operators, and what all workers say of themselves, joined.

use crate::{asked::Asked, routes::Table};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    Routes,
    Metrics,
    OpenApi,
}

/// What the gateway itself answers: the path is one of its own, the host has no routes, and no route
/// for every host is for that very path.
pub fn of(table: &Table, asked: &Asked) -> Option<Own> {
    let own = match asked.path.as_str() {
        "/api/gateway/routes" => Own::Routes,
        "/metrics" => Own::Metrics,
        "/openapi.json" => Own::OpenApi,
        _ => return None,
    };
    let found = table.find(&asked.host, &asked.path);
    let taken = found.is_some_and(|route| route.path.as_str() == asked.path);
    (!taken && !table.names(&asked.host)).then_some(own)
}

impl Own {
    /// Whether it is for anybody, websites too; else it is for operators.
    pub const fn is_public(self) -> bool {
        !matches!(self, Self::Routes)
    }

    /// For the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Routes => "GET /api/gateway/routes",
            Self::Metrics => "GET /metrics",
            Self::OpenApi => "GET /openapi.json",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::config::{Config as _, GatewayConfig};

    use super::*;

    fn own(url: &str) -> Option<Own> {
        let config = GatewayConfig::parse(json!({"routes": [
            {"path": "/", "worker": "pack"},
            {"path": "/metrics/more", "worker": "pack"},
            {"host": "own.example.com", "path": "/x", "worker": "pack"},
            {"host": "*.below.example.com", "path": "/x", "worker": "pack"},
        ]}));
        let table = Table::new(config.unwrap().routes);
        of(&table, &Asked::read(url).unwrap())
    }

    #[test]
    fn its_paths_are_its_own_where_the_host_has_no_routes() {
        for (path, expected) in [
            ("/api/gateway/routes", Some(Own::Routes)),
            ("/x/../metrics", Some(Own::Metrics)),
            ("/openapi.json", Some(Own::OpenApi)),
            ("/metrics/", None),
            ("/metrics/more", None),
            ("/openapi.jsonx", None),
            ("/%6detrics", None),
            ("//metrics", None),
            ("/", None),
        ] {
            assert_eq!(
                own(&format!("https://edge.example.com{path}")),
                expected,
                "{path}"
            );
        }
        for host in ["own.example.com", "a.below.example.com"] {
            assert_eq!(own(&format!("https://{host}/metrics")), None, "{host}");
        }
    }

    #[test]
    fn a_route_for_the_very_path_comes_first() {
        let config =
            GatewayConfig::parse(json!({"routes": [{"path": "/metrics", "worker": "status"}]}));
        let table = Table::new(config.unwrap().routes);
        let asked = |path: &str| Asked::read(&format!("https://a.example.com{path}")).unwrap();
        assert_eq!(of(&table, &asked("/metrics")), None);
        assert_eq!(of(&table, &asked("/openapi.json")), Some(Own::OpenApi));
    }
}
