//! Who may pass a route: its rate limit, then its token.

use edge::{Failure, auth, log};
use types::{
    Code,
    config::{Auth, BindingName, Route},
};
use worker::{Env, Headers, js_sys::Reflect};

use super::native;
use crate::onward;

/// How long a client that is over its limit is asked to wait, in seconds: the longer one of the
/// two periods that the platform has.
const PERIOD: &str = "60";

/// Lets a request pass, or says why not.
pub async fn pass(route: &Route, headers: &Headers, env: &Env) -> Result<(), Failure> {
    if let Some(limiter) = &route.rate_limit {
        within_limit(route, limiter, headers, env).await?;
    }
    match &route.auth {
        Auth::None => Ok(()),
        Auth::Bearer { scope, .. } => {
            let entry = auth::identify(headers, env)?;
            match scope {
                Some(scope) => auth::allow(&entry, scope.action, scope.resource.as_deref()),
                None => Ok(()),
            }
        }
    }
}

/// A limit that is asked for and not there is an operator's mistake, and closes the route; a platform
/// that cannot count for a moment does not.
async fn within_limit(
    route: &Route,
    limiter: &BindingName,
    headers: &Headers,
    env: &Env,
) -> Result<(), Failure> {
    let name = limiter.binding();
    let binding = Reflect::get(env, &name.as_str().into()).unwrap_or_default();
    if binding.is_undefined() {
        log::error(
            "rate limit",
            &format!("{route}: there is no binding {name}"),
        );
        let detail = "configuration: the rate limit of this route is not bound";
        return Err(Failure::new(Code::Unavailable, detail));
    }
    let client = onward::client_key(headers.get("cf-connecting-ip")?.as_deref());
    let key = format!("{}{} {client}", route.host, route.path);
    match native::is_within(&binding, &key).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let failure = Failure::new(Code::RateLimited, "too many requests from your address");
            Err(failure.with_header("Retry-After", PERIOD))
        }
        Err(error) => {
            log::warn("rate limit", &format!("{route}: not counted: {error}"));
            Ok(())
        }
    }
}
