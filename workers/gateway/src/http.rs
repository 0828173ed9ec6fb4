//! A request in, the worker's own answer out: both pass natively, bodies as streams.

use std::sync::OnceLock;

use edge::{Failure, config::Cached, log, not_found};
use types::{
    Code,
    config::{GatewayConfig, Route, Upstream},
};
use worker::{
    Env, Request,
    js_sys::Promise,
    wasm_bindgen::{JsCast as _, JsValue},
    wasm_bindgen_futures::JsFuture,
    web_sys,
    worker_sys::Fetcher,
};

use crate::routes::Table;

static CONFIG: Cached<GatewayConfig> = Cached::new();
static TABLE: OnceLock<Table> = OnceLock::new();

/// The name in the log of a request that no route is for.
const NO_ROUTE: &str = "(none)";

/// Passes a request on to where the table says; gives the route's name and the answer.
pub async fn pass_on(request: &Request, env: &Env) -> (String, Result<web_sys::Response, Failure>) {
    match route(request, env) {
        Ok(destination) => {
            let answer = send(request, env, destination).await;
            (destination.label(), answer)
        }
        Err(failure) => (NO_ROUTE.to_owned(), Err(failure)),
    }
}

fn route(request: &Request, env: &Env) -> Result<&'static Route, Failure> {
    let config = CONFIG.get(env)?;
    let table = TABLE.get_or_init(|| Table::new(config.routes.clone()));
    let url = request.inner().url();
    let found = table.find(authority(&url), &request.path());
    found.ok_or_else(|| not_found("such path on this host"))
}

/// Host and port of a serialised URL, which has no user name.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

async fn send(
    request: &Request,
    env: &Env,
    destination: &Route,
) -> Result<web_sys::Response, Failure> {
    let Upstream::Worker(worker) = &destination.upstream else {
        return Err(not_found("such path on this host"));
    };
    let service: Fetcher = match env.service(&worker.binding()) {
        Ok(service) => service.into_rpc(),
        Err(error) => return Err(bad_gateway(destination, &error.to_string())),
    };
    let forwarded = forwarded(request)?;
    match service.fetch(forwarded.inner()) {
        Ok(promise) => answer(promise).await,
        Err(error) => Err(error),
    }
    .map_err(|error| bad_gateway(destination, &worker::Error::from(error).to_string()))
}

async fn answer(promise: Promise) -> Result<web_sys::Response, JsValue> {
    JsFuture::from(promise).await?.dyn_into()
}

/// What ends here: the hop-by-hop headers (RFC 9110, section 7.6.1) and their older kin, as far as
/// the runtime lets them through, and `Forwarded` (RFC 7239), which only a proxy in front may say.
/// Without `TE` and `Upgrade`: the runtime keeps the first, and a WebSocket needs the second.
const DROPPED: [&str; 6] = [
    "connection",
    "forwarded",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
];

/// The request with the headers that say where it came from. They are the gateway's alone: what
/// came under their names from outside is dropped. The body stays the same native stream.
fn forwarded(request: &Request) -> Result<Request, Failure> {
    let copy = request.clone_mut()?;
    let url = copy.inner().url();
    let protocol = url.split_once(':').map_or("https", |(scheme, _)| scheme);
    let headers = copy.headers();
    if let Some(client) = headers.get("cf-connecting-ip")? {
        headers.set("x-forwarded-for", &client)?;
        headers.set("x-real-ip", &client)?;
    } else {
        headers.delete("x-forwarded-for")?;
        headers.delete("x-real-ip")?;
    }
    headers.set("x-forwarded-proto", protocol)?;
    headers.set("x-forwarded-host", authority(&url))?;
    for name in DROPPED {
        headers.delete(name)?;
    }
    Ok(copy)
}

/// The client learns that something behind the door failed; the log, what and why.
fn bad_gateway(destination: &Route, error: &str) -> Failure {
    log::error("route", &format!("{destination}: {error}"));
    Failure::new(
        Code::BadGateway,
        "the service behind this address did not answer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_host_and_port_whatever_follows() {
        for (url, host) in [
            ("http://rp.localhost:8787/", "rp.localhost:8787"),
            ("https://a.example.com/b?c=://d", "a.example.com"),
            ("https://a.example.com?b/c", "a.example.com"),
            ("http://[::1]:8787/@x", "[::1]:8787"),
        ] {
            assert_eq!(authority(url), host);
        }
    }
}
