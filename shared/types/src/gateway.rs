//! What the gateway tells operators about its route table: `GET /api/gateway/routes`.

use serde::Serialize;

use crate::config::{Auth, Frame, Route, Upstream};

/// The table as it was understood, and, when a URL was asked about, which route takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteTable {
    /// In the order of the configuration.
    pub routes: Vec<RouteView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
}

/// A route with everything that its configuration left to a default. Secrets are not in the table,
/// so none is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteView {
    /// Its place in the table, from 0.
    pub index: usize,
    /// What logs call it.
    pub name: String,
    /// `rp.example.com`, `*.example.com`, or `*` for every host.
    pub host: String,
    pub path: String,
    /// `worker`, `origin`, `site`, `redirect` or `respond`.
    pub kind: &'static str,
    /// The worker, the origin's URL, the site, the redirect's target; of `respond` the status.
    pub to: String,
    /// The status of a redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spa: Option<bool>,
    /// Of a worker or an origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// `none` or `bearer`.
    pub auth: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_token: Option<bool>,
    pub rate_limit: Option<String>,
    pub maintenance: bool,
    /// When not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// `default` or `off`: the security headers.
    pub headers: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// `sameorigin`, `deny` or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<&'static str>,
}

/// Which route a request would take, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lookup {
    pub url: String,
    /// The host as the table names it: in lower case, without port.
    pub host: String,
    /// The path as the table compares it: dots resolved, escapes left.
    pub path: String,
    /// The route that takes it.
    pub takes: Option<usize>,
    pub why: String,
    /// The routes whose host and path both fit, the one that takes it first.
    pub candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    pub index: usize,
    /// `rp.example.com/ -> pack`.
    pub route: String,
    pub why: String,
}

impl RouteView {
    pub fn new(index: usize, route: &Route) -> Self {
        let mut view = Self {
            index,
            name: route.label(),
            host: route.host.to_string(),
            path: route.path.to_string(),
            kind: "worker",
            to: String::new(),
            status: None,
            strip_prefix: None,
            access: None,
            spa: None,
            timeout_seconds: None,
            auth: "none",
            scope: None,
            forward_token: None,
            rate_limit: route
                .rate_limit
                .as_ref()
                .map(|name| name.as_str().to_owned()),
            maintenance: route.maintenance.is_some(),
            retry_after_seconds: route.retry_after_seconds,
            headers: "off",
            csp: None,
            permissions: None,
            frame: None,
        };
        view.tell_upstream(route);
        if let Auth::Bearer {
            scope,
            forward_token,
        } = &route.auth
        {
            view.auth = "bearer";
            view.scope = scope.as_ref().map(ToString::to_string);
            view.forward_token = Some(*forward_token);
        }
        if let Some(protection) = &route.protection {
            view.headers = "default";
            view.csp.clone_from(&protection.csp);
            view.permissions.clone_from(&protection.permissions);
            view.frame = Some(match protection.frame {
                Frame::Sameorigin => "sameorigin",
                Frame::Deny => "deny",
                Frame::Any => "any",
            });
        }
        view
    }

    fn tell_upstream(&mut self, route: &Route) {
        match &route.upstream {
            Upstream::Worker(name) => {
                name.as_str().clone_into(&mut self.to);
                self.timeout_seconds = Some(route.timeout_seconds);
            }
            Upstream::Origin(origin) => {
                self.kind = "origin";
                origin.url.as_str().clone_into(&mut self.to);
                self.strip_prefix = Some(origin.strip_prefix);
                self.access = Some(origin.access);
                self.timeout_seconds = Some(route.timeout_seconds);
            }
            Upstream::Site(site) => {
                self.kind = "site";
                self.to = site.name.to_string();
                self.spa = Some(site.spa);
            }
            Upstream::Redirect(redirect) => {
                self.kind = "redirect";
                redirect.target.as_str().clone_into(&mut self.to);
                self.status = Some(redirect.status);
            }
            Upstream::Respond(respond) => {
                self.kind = "respond";
                self.to = respond.status.to_string();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::{Config as _, GatewayConfig};

    #[test]
    fn the_bodies_are_pinned() {
        let config = GatewayConfig::parse(json!({"routes": [
            {"host": "a.example.com", "path": "/x/", "origin": "https://o.example.net/base", "strip_prefix": true,
             "auth": "bearer", "scope": "ops:write", "rate_limit": "ADMIN", "frame": "deny"},
            {"path": "/s", "site": "www", "spa": true, "headers": "off", "maintenance": "soon"},
            {"path": "/r", "redirect": "/s/*", "status": 308, "name": "old"},
        ]}));
        let routes = config.unwrap().routes;
        let views = routes
            .iter()
            .enumerate()
            .map(|(index, route)| RouteView::new(index, route));
        let table = RouteTable {
            routes: views.collect(),
            lookup: Some(Lookup {
                url: "https://A.example.com/x/".to_owned(),
                host: "a.example.com".to_owned(),
                path: "/x/".to_owned(),
                takes: Some(0),
                why: "why".to_owned(),
                candidates: vec![Candidate {
                    index: 0,
                    route: "r".to_owned(),
                    why: "c".to_owned(),
                }],
            }),
        };
        assert_eq!(
            serde_json::to_string(&table).unwrap(),
            concat!(
                r#"{"routes":[{"index":0,"name":"a.example.com/x/","host":"a.example.com","path":"/x/","kind":"origin","#,
                r#""to":"https://o.example.net/base","strip_prefix":true,"access":false,"timeout_seconds":30,"auth":"bearer","#,
                r#""scope":"ops:write","forward_token":false,"rate_limit":"ADMIN","maintenance":false,"headers":"default","frame":"deny"},"#,
                r#"{"index":1,"name":"*/s","host":"*","path":"/s","kind":"site","to":"www","spa":true,"auth":"none","#,
                r#""rate_limit":null,"maintenance":true,"headers":"off"},"#,
                r#"{"index":2,"name":"old","host":"*","path":"/r","kind":"redirect","to":"/s/*","status":308,"auth":"none","#,
                r#""rate_limit":null,"maintenance":false,"headers":"default","frame":"sameorigin"}],"#,
                r#""lookup":{"url":"https://A.example.com/x/","host":"a.example.com","path":"/x/","takes":0,"why":"why","#,
                r#""candidates":[{"index":0,"route":"r","why":"c"}]}}"#,
            )
        );
    }
}
