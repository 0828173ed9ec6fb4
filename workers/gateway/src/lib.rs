//! The front door: sends a request to a worker, an origin or a site by host name and path.
//!
//! State: none. The table is `[[vars.routes]]`; its rules are in `routes` and `front`.

mod asked;
mod front;
mod http;
mod onward;
mod origin;
mod page;
mod protection;
mod routes;
mod trace;
mod visitor;

use worker::{Context, Env, Request, event, web_sys};

const WORKER: &str = "gateway";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    http::serve(&request, &env).await
}
