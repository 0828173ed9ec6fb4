//! Who asks: Bearer (RFC 6750) and Basic (RFC 7617) credentials against the secret `TOKENS`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use types::{
    Code,
    token::{Action, Presented, TokenEntry, Tokens},
};
use worker::{Env, Headers};

use crate::{Failure, log};

/// The name of the secret.
const SECRET: &str = "TOKENS";

/// The tokens of this deployment. A missing or malformed secret lets nobody through: it is logged,
/// and every request that needs a token gets 503.
pub fn tokens(env: &Env) -> Result<Tokens, Failure> {
    let secret = env.secret(SECRET).map(|secret| secret.to_string());
    let parsed = match secret {
        Ok(secret) => Tokens::parse(&secret),
        Err(_) => Err(format!("the secret {SECRET} is not set")),
    };
    parsed.map_err(|error| {
        log::error("tokens", &error);
        let detail = format!("no token can be checked: {error}");
        Failure::new(Code::Unavailable, detail)
    })
}

/// The Bearer token of a request, if it has one.
pub fn bearer(headers: &Headers) -> Option<Presented> {
    credentials(headers, "Bearer").map(Presented::new)
}

/// The password of a request's Basic credentials, if it has any; the user name is not used.
pub fn basic_password(headers: &Headers) -> Option<Presented> {
    let encoded = credentials(headers, "Basic")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (_user, password) = decoded.split_once(':')?;
    Some(Presented::new(password))
}

/// What follows the scheme, whose case does not matter (RFC 9110, section 11.4).
fn credentials(headers: &Headers, scheme: &str) -> Option<String> {
    let header = headers.get("authorization").ok().flatten()?;
    let (named, rest) = header.trim().split_once(' ')?;
    let credentials = rest.trim();
    (named.eq_ignore_ascii_case(scheme) && !credentials.is_empty()).then(|| credentials.to_owned())
}

/// Lets a request through that bears a token with this scope; gives the token's entry, whose name
/// goes into histories.
pub fn require(
    headers: &Headers,
    env: &Env,
    action: Action,
    resource: Option<&str>,
) -> Result<TokenEntry, Failure> {
    let entry = identify(headers, env)?;
    allow(&entry, action, resource)?;
    Ok(entry)
}

/// Lets a request through that bears one of our tokens. What it may do is still to be asked:
/// [`allow`].
pub fn identify(headers: &Headers, env: &Env) -> Result<TokenEntry, Failure> {
    let presented = bearer(headers)
        .ok_or_else(|| unauthorized("this needs a token: Authorization: Bearer <token>"))?;
    identify_token(&presented, env)
}

/// The same of a token that came elsewhere than in `Authorization`.
pub fn identify_token(presented: &Presented, env: &Env) -> Result<TokenEntry, Failure> {
    let entry = tokens(env)?.find(presented).cloned();
    entry.ok_or_else(|| unauthorized("this token is not known here"))
}

/// 403, naming the scope, unless the token has it.
pub fn allow(entry: &TokenEntry, action: Action, resource: Option<&str>) -> Result<(), Failure> {
    entry.allows(action, resource).map_err(|scope| {
        Failure::new(
            Code::Forbidden,
            format!("this token lacks the scope {scope}"),
        )
    })
}

fn unauthorized(detail: &str) -> Failure {
    Failure::new(Code::Unauthorized, detail)
        .with_header("WWW-Authenticate", "Bearer realm=\"genkan\"")
}
