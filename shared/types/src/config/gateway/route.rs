//! One row of the route table, from its keys to what they mean together.

use std::fmt;

use serde::Deserialize;

use super::{
    Auth, BindingName, Frame, HostPattern, Maintenance, Origin, OriginUrl, PathPrefix, Protection,
    Redirect, RedirectTarget, Respond, Site, Upstream, policy::MaintenanceKey,
};
use crate::{SiteName, token::Scope};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Row")]
pub struct Route {
    pub host: HostPattern,
    pub path: PathPrefix,
    /// What the operator calls it.
    pub name: Option<String>,
    pub upstream: Upstream,
    /// How long the upstream may take to begin its answer.
    pub timeout_seconds: u32,
    pub auth: Auth,
    /// The binding that counts requests by client.
    pub rate_limit: Option<BindingName>,
    pub maintenance: Option<Maintenance>,
    /// What `Retry-After` says while the route is closed or its upstream is down, when not the
    /// default.
    pub retry_after_seconds: Option<u32>,
    /// `None`: no security headers.
    pub protection: Option<Protection>,
}

/// `rp.example.com/ -> pack`, as logs and errors name a route; `*` is every host.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} -> {}", self.host, self.path, self.upstream)
    }
}

impl Route {
    /// How logs name it: by its own name, or by what it matches.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("{}{}", self.host, self.path),
        }
    }
}

/// The keys as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    host: HostPattern,
    path: PathPrefix,
    name: Option<String>,
    worker: Option<BindingName>,
    origin: Option<OriginUrl>,
    site: Option<SiteName>,
    redirect: Option<RedirectTarget>,
    respond: Option<String>,
    strip_prefix: Option<bool>,
    access: Option<bool>,
    spa: Option<bool>,
    status: Option<u16>,
    content_type: Option<String>,
    timeout_seconds: Option<u32>,
    auth: Option<AuthKey>,
    scope: Option<Scope>,
    forward_token: Option<bool>,
    rate_limit: Option<BindingName>,
    #[serde(default)]
    maintenance: MaintenanceKey,
    retry_after_seconds: Option<u32>,
    headers: Option<HeadersKey>,
    csp: Option<String>,
    permissions: Option<String>,
    frame: Option<Frame>,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthKey {
    None,
    Bearer,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum HeadersKey {
    Default,
    Off,
}

const DEFAULT_TIMEOUT: u32 = 30;
const LONGEST: u32 = 3600;
/// A week: what closes for longer is gone.
const LONGEST_RETRY: u32 = 7 * 24 * 3600;
const TEXT: &str = "text/plain; charset=utf-8";

impl TryFrom<Row> for Route {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        let place = format!("{}{}", row.host, row.path);
        row.route().map_err(|error| format!("{place}: {error}"))
    }
}

impl Row {
    fn route(mut self) -> Result<Route, String> {
        let row = &mut self;
        let upstream = row.upstream()?;
        row.refuse_strangers(&upstream)?;
        let timeout_seconds = row.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
        in_range("timeout_seconds", timeout_seconds, LONGEST)?;
        if let Some(seconds) = row.retry_after_seconds {
            in_range("retry_after_seconds", seconds, LONGEST_RETRY)?;
        }
        if let Some(name) = &row.name {
            let printable = name.chars().all(|char| !char.is_control());
            if name.trim().is_empty() || name.len() > 100 || !printable {
                return Err(format!("name: {name:?} is not 1 to 100 printable bytes"));
            }
        }
        Ok(Route {
            auth: row.auth(),
            protection: row.protection()?,
            upstream,
            timeout_seconds,
            host: self.host,
            path: self.path,
            name: self.name,
            rate_limit: self.rate_limit,
            maintenance: self.maintenance.0,
            retry_after_seconds: self.retry_after_seconds,
        })
    }

    /// The one upstream that it names.
    fn upstream(&mut self) -> Result<Upstream, String> {
        let mut named = [
            self.worker.take().map(Upstream::Worker),
            self.origin.take().map(|url| {
                let strip_prefix = self.strip_prefix.unwrap_or(false);
                let access = self.access.unwrap_or(false);
                Upstream::Origin(Origin {
                    url,
                    strip_prefix,
                    access,
                })
            }),
            self.site.take().map(|name| {
                let spa = self.spa.unwrap_or(false);
                Upstream::Site(Site { name, spa })
            }),
            self.redirect.take().map(|target| {
                let status = self.status.unwrap_or(302);
                Upstream::Redirect(Redirect { target, status })
            }),
            self.respond.take().map(|body| {
                let status = self.status.unwrap_or(200);
                let content_type = self.content_type.clone().unwrap_or_else(|| TEXT.to_owned());
                Upstream::Respond(Respond {
                    status,
                    body,
                    content_type,
                })
            }),
        ]
        .into_iter()
        .flatten();
        let (Some(upstream), None) = (named.next(), named.next()) else {
            let one =
                "a route has exactly one of `worker`, `origin`, `site`, `redirect` and `respond`";
            return Err(one.to_owned());
        };
        drop(named);
        match &upstream {
            Upstream::Redirect(Redirect { status, .. })
                if ![301, 302, 307, 308].contains(status) =>
            {
                Err(format!(
                    "status: a redirect is 301, 302, 307 or 308, not {status}"
                ))
            }
            Upstream::Respond(respond) => check_respond(respond).map(|()| upstream),
            _ => Ok(upstream),
        }
    }

    /// A key that means nothing for this upstream is a mistake of the operator.
    fn refuse_strangers(&self, upstream: &Upstream) -> Result<(), String> {
        use Upstream::{Origin, Redirect, Respond, Site, Worker};
        const ORIGIN: &str = "an `origin`";
        const BEARER: &str = "`auth = \"bearer\"`";
        const DEFAULT: &str = "`headers = \"default\"`";
        let is_origin = matches!(upstream, Origin(_));
        let is_site = matches!(upstream, Site(_));
        let responds = matches!(upstream, Respond(_));
        let fixed = responds || matches!(upstream, Redirect(_));
        let passes_on = is_origin || matches!(upstream, Worker(_));
        let bearer = self.auth == Some(AuthKey::Bearer);
        let default = self.headers != Some(HeadersKey::Off);
        let keys = [
            (
                "strip_prefix",
                self.strip_prefix.is_some(),
                is_origin,
                ORIGIN,
            ),
            ("access", self.access.is_some(), is_origin, ORIGIN),
            ("spa", self.spa.is_some(), is_site, "a `site`"),
            (
                "status",
                self.status.is_some(),
                fixed,
                "`redirect` and `respond`",
            ),
            (
                "content_type",
                self.content_type.is_some(),
                responds,
                "`respond`",
            ),
            (
                "timeout_seconds",
                self.timeout_seconds.is_some(),
                passes_on,
                "an `origin` or a `worker`",
            ),
            ("scope", self.scope.is_some(), bearer, BEARER),
            (
                "forward_token",
                self.forward_token.is_some(),
                bearer && passes_on,
                BEARER,
            ),
            ("csp", self.csp.is_some(), default, DEFAULT),
            ("permissions", self.permissions.is_some(), default, DEFAULT),
            ("frame", self.frame.is_some(), default, DEFAULT),
        ];
        for (key, present, fits, whose) in keys {
            if present && !fits {
                return Err(format!("{key}: it is only for {whose}"));
            }
        }
        Ok(())
    }

    fn auth(&mut self) -> Auth {
        match self.auth {
            None | Some(AuthKey::None) => Auth::None,
            Some(AuthKey::Bearer) => Auth::Bearer {
                scope: self.scope.take(),
                forward_token: self.forward_token.unwrap_or(false),
            },
        }
    }

    fn protection(&mut self) -> Result<Option<Protection>, String> {
        if self.headers == Some(HeadersKey::Off) {
            return Ok(None);
        }
        let csp = self.csp.take().map(|value| header_value("csp", value));
        let permissions = self.permissions.take();
        let permissions = permissions.map(|value| header_value("permissions", value));
        Ok(Some(Protection {
            csp: csp.transpose()?,
            permissions: permissions.transpose()?,
            frame: self.frame.unwrap_or_default(),
        }))
    }
}

fn in_range(key: &str, seconds: u32, longest: u32) -> Result<(), String> {
    if (1..=longest).contains(&seconds) {
        return Ok(());
    }
    Err(format!("{key}: {seconds} is not 1 to {longest} seconds"))
}

/// What a header can carry and an operator means: visible ASCII and blanks, not empty.
fn header_value(key: &str, value: String) -> Result<String, String> {
    let good = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if value.trim().is_empty() || !value.bytes().all(good) {
        return Err(format!("{key}: {value:?} is not the value of a header"));
    }
    Ok(value)
}

fn check_respond(respond: &Respond) -> Result<(), String> {
    let Respond {
        status,
        body,
        content_type,
    } = respond;
    if !(200..=599).contains(status) {
        return Err(format!("status: {status} is not 200 to 599"));
    }
    if [204, 205, 304].contains(status) && !body.is_empty() {
        return Err(format!(
            "respond: an answer with status {status} has no body"
        ));
    }
    header_value("content_type", content_type.clone()).map(drop)
}
