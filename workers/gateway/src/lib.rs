//! The front door: sends a request to a worker by host name and path.
//!
//! State: none. The table is `[[vars.routes]]`; its rules are in `routes`.

mod explain;
mod http;
mod join;
mod routes;
mod site;
#[cfg(test)]
mod worked_tables;

use worker::{Context, Env, Request, event, web_sys};

const WORKER: &str = "gateway";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    edge::relay(WORKER, &request.method(), http::pass_on(&request, &env)).await
}
