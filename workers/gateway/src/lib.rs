//! The front door: sends a request to a worker, an origin or a site by host name and path.
//!
//! State: none. The table is `[[vars.routes]]`; its rules are in `routes` and `front`.

mod access;
mod asked;
mod down;
mod explain;
mod front;
mod http;
mod join;
mod onward;
mod origin;
mod own;
mod page;
mod protection;
mod routes;
mod site;
mod trace;
mod visitor;
#[cfg(test)]
mod worked_tables;

use worker::{Context, Env, Request, event, web_sys};

const WORKER: &str = "gateway";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    http::serve(&request, &env).await
}
