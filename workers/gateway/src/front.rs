//! What becomes of a request, as far as its address and the table decide: pure.

use types::config::{GatewayConfig, PathPrefix, Redirect, Route, Upstream};

use crate::{
    asked::Asked,
    own::{self, Own},
    routes::Table,
};

/// The path that tells a load balancer that this worker answers, on every host.
pub const HEALTH: &str = "/health";

/// What happens next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'t> {
    /// The gateway is well.
    Healthy,
    /// The same over HTTPS: the URL.
    ToHttps(String),
    /// The same with a slash at the end of the path: path and query.
    ToFolder(&'t Route, String),
    Route(&'t Route),
    /// The gateway itself has something at this path.
    Own(Own),
    /// No route is for it.
    Nothing,
    /// The path can be read in two ways, and only one of them is this route's.
    Ambiguous(&'t Route, &'static str),
}

const TWO_ROUTES: &str = "the path leads elsewhere once its escapes, doubled slashes or parameters are resolved; \
     send it in its plain form";
const TERMINATORS: &str = "the path has an escaped zero byte or line break";

/// Decides on a GET or HEAD (`reads`) or another request.
pub fn next<'t>(table: &'t Table, config: &GatewayConfig, asked: &Asked, reads: bool) -> Next<'t> {
    let found = table.find(&asked.host, &asked.path);
    if reads && asked.path == HEALTH {
        // A load balancer may ask over plain HTTP, and follows nothing.
        let is_exact = |path: &PathPrefix| path.as_str() == HEALTH && !path.is_folder();
        return match found.filter(|route| is_exact(&route.path)) {
            Some(own) => Next::Route(own),
            None => Next::Healthy,
        };
    }
    if config.https_only && !config.local && !asked.https {
        return Next::ToHttps(format!(
            "https://{}{}{}",
            asked.host, asked.path, asked.query
        ));
    }
    if let Some(own) = own::of(table, asked) {
        return Next::Own(own);
    }
    let Some(route) = found else {
        return Next::Nothing;
    };
    if let Some(why) = ambiguous(table, asked, route) {
        return Next::Ambiguous(route, why);
    }
    let answers_itself = matches!(route.upstream, Upstream::Redirect(_) | Upstream::Respond(_));
    if route.path.is_folder() && asked.path == route.path.as_str() && !answers_itself {
        return Next::ToFolder(route, format!("{}{}", route.path, asked.query));
    }
    Next::Route(route)
}

/// Nothing reaches a route that its plain path would not reach: neither past the rules of a longer
/// route, nor out of the route's own part of the origin.
fn ambiguous(table: &Table, asked: &Asked, route: &Route) -> Option<&'static str> {
    let readings = match asked.readings() {
        Ok(readings) => readings,
        Err(unreadable) => return Some(unreadable.0),
    };
    let same = |path: &String| {
        let found = table.find(&asked.host, path);
        found.is_some_and(|found| std::ptr::eq(found, route))
    };
    if !readings.iter().all(same) {
        return Some(TWO_ROUTES);
    }
    // A worker of ours reads the path as it stands.
    let worker = matches!(route.upstream, Upstream::Worker(_));
    (!worker && asked.has_terminators()).then_some(TERMINATORS)
}

/// Where a redirect leads this request.
pub fn location(redirect: &Redirect, route: &Route, asked: &Asked) -> String {
    let Some(before) = redirect.target.before_rest() else {
        return redirect.target.as_str().to_owned();
    };
    let rest = asked.path.strip_prefix(route.path.as_str());
    let rest = rest.unwrap_or("").trim_start_matches('/');
    format!("{before}{rest}{}", asked.query)
}

#[cfg(test)]
#[path = "front_tests.rs"]
mod tests;
