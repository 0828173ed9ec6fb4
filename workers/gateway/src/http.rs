//! A request in, its answer out: from the worker, origin or rule that its route names.
//!
//! What another answers passes natively, its body as a stream. What the gateway answers itself is a
//! page for a browser and a problem (RFC 9457) for a program.

mod guard;
mod native;
mod own;
mod pass;

use std::{cell::RefCell, sync::OnceLock};

use edge::{Failure, clock, config::Cached, log, method_not_allowed, not_found, reply};
use types::{
    Code, Problem,
    config::{Auth, Frame, GatewayConfig, Maintenance, Protection, Respond, Route, Site, Upstream},
};
use worker::{Env, Request, web_sys};

use crate::{
    asked::{Asked, Unreadable},
    front::{self, Next},
    own::Own,
    page::{self, Say},
    protection,
    routes::Table,
    site::{self, Found, Wish},
    trace,
    visitor::{self, Language},
};
use native::Lines;
use pass::{Answered, Passage};

static CONFIG: Cached<GatewayConfig> = Cached::new();
static TABLE: OnceLock<Table> = OnceLock::new();

/// The name in the log of a request that no route is for.
const NO_ROUTE: &str = "(none)";
/// What goes through (RFC 9110, section 9): what an origin takes beyond it is its own affair.
const ALLOWED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// What `Retry-After` says of a route that is closed, in seconds, and of one whose upstream is down.
const CLOSED: u32 = 300;
const DOWN: u32 = 30;

/// What came of a request.
struct Outcome {
    route: Option<&'static Route>,
    /// Or what of the gateway's own.
    own: Option<Own>,
    result: Result<Answered, Refusal>,
}

/// Why the gateway answers in the place of an upstream.
enum Refusal {
    Failure(Failure),
    Maintenance(&'static Maintenance),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<worker::Error> for Refusal {
    fn from(error: worker::Error) -> Self {
        Failure::from(error).into()
    }
}

/// Answers one request and logs it.
pub async fn serve(request: &Request, env: &Env) -> worker::Result<web_sys::Response> {
    let started = clock::millis();
    let asked = Asked::read(&request.inner().url());
    let traceparent = request.headers().get("traceparent")?;
    let traced = traceparent.as_deref().and_then(trace::id_of).is_some();
    let traceparent = match traceparent.filter(|_| traced) {
        Some(given) => given,
        None => trace::made(edge::random_bytes().unwrap_or_default()),
    };
    let door = Door {
        request,
        method: request.inner().method(),
        env,
        asked: &asked,
        traceparent: &traceparent,
        traced,
        why: RefCell::default(),
    };
    let Outcome { route, own, result } = door.outcome().await;
    let (answered, error) = match result {
        Ok(answered) => (answered, None),
        Err(refusal) => door.refuse(refusal, route, own)?,
    };
    let response = door.finish(&answered, route)?;
    let declared = response.headers().get("content-length")?;
    // What a body would have is declared where none is sent, too.
    let bodiless = door.is_head() || [204, 304].contains(&response.status());
    log::passed(&log::PassedLine {
        worker: crate::WORKER,
        route: &route.map_or_else(|| own.map_or(NO_ROUTE, Own::name).to_owned(), Route::label),
        upstream: route.map(|route| route.upstream.to_string()).as_deref(),
        method: &door.method,
        status: response.status(),
        bytes: match declared {
            _ if bodiless => Some(0),
            declared => declared.and_then(|bytes| bytes.parse().ok()),
        },
        first_byte_ms: clock::millis() - started,
        trace: trace::id_of(&traceparent).unwrap_or_default(),
        error: error.or(door.why.take()).as_deref(),
    });
    Ok(response)
}

/// One request at the door.
struct Door<'a> {
    request: &'a Request,
    /// As it was sent: `worker` takes one that it does not know for GET.
    method: String,
    env: &'a Env,
    asked: &'a Result<Asked, Unreadable>,
    traceparent: &'a str,
    traced: bool,
    why: RefCell<Option<String>>,
}

impl Door<'_> {
    async fn outcome(&self) -> Outcome {
        let config = match CONFIG.get(self.env) {
            Ok(config) => config,
            Err(failure) => {
                return Outcome {
                    route: None,
                    own: None,
                    result: Err(failure.into()),
                };
            }
        };
        let asked = match self.asked {
            Ok(asked) => asked,
            Err(Unreadable(why)) => {
                let failure = Failure::new(Code::BadRequest, *why);
                return Outcome {
                    route: None,
                    own: None,
                    result: Err(failure.into()),
                };
            }
        };
        let table = TABLE.get_or_init(|| Table::new(config.routes.clone()));
        let next = front::next(table, config, asked, self.reads());
        let own = match next {
            Next::Own(own) => Some(own),
            _ => None,
        };
        let (route, result) = match next {
            Next::Healthy => (None, self.healthy()),
            Next::ToHttps(url) => (None, self.moved(&url)),
            Next::ToFolder(route, path) => (Some(route), self.moved(&path)),
            Next::Nothing => (None, Err(not_found("such path on this host").into())),
            Next::Ambiguous(route, why) => {
                (Some(route), Err(Failure::new(Code::BadRequest, why).into()))
            }
            Next::Route(route) => (Some(route), self.through(asked, route).await),
            Next::Own(own) => (None, self.own(own, config, table).await),
        };
        Outcome { route, own, result }
    }

    /// GET or HEAD.
    fn reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Through the route to what is behind it.
    async fn through(&self, asked: &Asked, route: &'static Route) -> Result<Answered, Refusal> {
        if let Some(maintenance) = &route.maintenance {
            return Err(Refusal::Maintenance(maintenance));
        }
        if self.method == "TRACE" {
            // It would show the client what is added on the way: tokens among it.
            let detail = "TRACE does not go through here";
            let refused = Failure::new(Code::MethodNotAllowed, detail);
            return Err(refused.with_header("Allow", ALLOWED).into());
        }
        guard::pass(route, self.request.headers(), self.env).await?;
        let passage = Passage {
            request: self.request,
            env: self.env,
            asked,
            route,
            traceparent: self.traceparent,
            traced: self.traced,
            why: &self.why,
        };
        match &route.upstream {
            Upstream::Worker(worker) => Ok(Answered::as_it_is(passage.to_worker(worker).await?)),
            Upstream::Origin(origin) => Ok(passage.to_origin(origin).await?),
            Upstream::Redirect(redirect) => {
                let location = front::location(redirect, route, asked);
                self.redirect(redirect.status, &location)
            }
            Upstream::Respond(respond) => self.respond(respond),
            Upstream::Site(site) => Ok(Answered::as_it_is(self.file(asked, route, site).await?)),
        }
    }

    /// A file of a site, whose root is at the route's path.
    async fn file(
        &self,
        asked: &Asked,
        route: &Route,
        site: &Site,
    ) -> Result<web_sys::Response, Refusal> {
        if !self.reads() {
            return Err(method_not_allowed("GET, HEAD").into());
        }
        let path = asked.path.strip_prefix(route.path.as_str());
        let wish = Wish {
            headers: self.request.headers(),
            head: self.is_head(),
            site: site.name.as_str(),
            spa: site.spa,
            path: path.unwrap_or(&asked.path),
        };
        match site::answer(self.env, wish).await? {
            Found::Answer(response) => Ok(response.into()),
            Found::Folder => {
                let location = format!("{}/{}", asked.path, asked.query);
                Ok(self.moved(&location)?.response)
            }
        }
    }

    async fn own(
        &self,
        own: Own,
        config: &GatewayConfig,
        table: &Table,
    ) -> Result<Answered, Refusal> {
        let preflight = self
            .request
            .headers()
            .has("access-control-request-method")?;
        if self.method == "OPTIONS" && preflight {
            return Ok(Answered::as_it_is(own::preflight(own)?.into()));
        }
        if !self.reads() {
            return Err(method_not_allowed("GET, HEAD").into());
        }
        let response = own::answer(own, self.request, self.env, config, table).await?;
        Ok(Answered::as_it_is(response.into()))
    }

    /// An answer of the gateway's own; without its body to HEAD, and where the status has none.
    fn answer(&self, status: u16, mut headers: Lines, body: &str) -> Result<Answered, Refusal> {
        let empty = [204, 205, 304].contains(&status);
        if !empty {
            headers.add("content-length", &body.len().to_string());
        }
        let body = (!empty && !self.is_head()).then_some(body);
        Ok(Answered::as_it_is(native::answer(body, status, &headers)?))
    }

    fn healthy(&self) -> Result<Answered, Refusal> {
        let mut headers = Lines::default();
        headers.add("content-type", reply::TEXT);
        headers.add("cache-control", "no-store");
        headers.add("access-control-allow-origin", "*");
        self.answer(200, headers, "healthy\n")
    }

    /// For ever; a method with a body keeps it.
    fn moved(&self, location: &str) -> Result<Answered, Refusal> {
        self.redirect(if self.reads() { 301 } else { 308 }, location)
    }

    fn redirect(&self, status: u16, location: &str) -> Result<Answered, Refusal> {
        let mut headers = Lines::default();
        headers.add("location", location);
        self.answer(status, headers, "")
    }

    fn respond(&self, respond: &Respond) -> Result<Answered, Refusal> {
        let mut headers = Lines::default();
        headers.add("content-type", &respond.content_type);
        self.answer(respond.status, headers, &respond.body)
    }

    fn language(&self) -> worker::Result<Language> {
        let header = self.request.headers().get("accept-language")?;
        Ok(Language::of(header.as_deref()))
    }

    /// A page or a problem, and for the log what the client is not told.
    fn refuse(
        &self,
        refusal: Refusal,
        route: Option<&'static Route>,
        own: Option<Own>,
    ) -> worker::Result<(Answered, Option<String>)> {
        let language = self.language()?;
        let (failure, maintenance) = match refusal {
            Refusal::Failure(failure) => (failure, None),
            Refusal::Maintenance(maintenance) => {
                let (_, text) = page::maintenance(maintenance, language);
                (Failure::new(Code::Unavailable, text), Some(maintenance))
            }
        };
        let inner = match &failure {
            Failure::Internal(message) => Some(message.clone()),
            Failure::Problem { .. } => None,
        };
        let (mut problem, named) = failure.into_problem();
        if let Some(detail) = page::detail(problem.code, language) {
            detail.clone_into(&mut problem.detail);
        }
        let mut headers = Lines::default();
        for (name, value) in named {
            headers.add(name, &value);
        }
        if let Some(seconds) = retry_after(&problem, maintenance, route) {
            headers.add("retry-after", &seconds.to_string());
        }
        headers.add("cache-control", "no-store");
        headers.add("vary", "Accept, Accept-Language");
        // What needs a token is no website's, its refusals neither.
        let is_public = route.is_none_or(|route| route.auth == Auth::None);
        if is_public && own.is_none_or(Own::is_public) {
            headers.add("access-control-allow-origin", "*");
        }
        let accept = self.request.headers().get("accept")?;
        let body = if visitor::reads_html(accept.as_deref()) {
            let say = maintenance.map_or(Say::Problem(problem.code), Say::Maintenance);
            headers.add("content-type", "text/html; charset=utf-8");
            headers.add("content-language", language.tag());
            headers.add("content-security-policy", page::POLICY);
            page::html(say, problem.status, language)
        } else {
            headers.add("content-type", reply::PROBLEM_JSON);
            serde_json::to_string(&problem)
                .map_err(|error| worker::Error::from(error.to_string()))?
        };
        let answered = self.answer(problem.status, headers, &body);
        let answered =
            answered.map_err(|_| worker::Error::from("an error could not be rendered"))?;
        Ok((answered, inner))
    }

    /// The answer as it leaves: with the security headers of its route, or of none.
    fn finish(
        &self,
        answered: &Answered,
        route: Option<&'static Route>,
    ) -> worker::Result<web_sys::Response> {
        const OWN: Protection = Protection {
            csp: None,
            permissions: None,
            frame: Frame::Sameorigin,
        };
        let mut missing = Lines::default();
        let Answered {
            response,
            set,
            cookies,
        } = answered;
        // A cache replaces what it has by what a 304 says (RFC 9111, section 3.2): the upstream's own
        // lines by these.
        let of_others =
            |route: &Route| matches!(route.upstream, Upstream::Worker(_) | Upstream::Origin(_));
        let leaves_the_rest = response.status() == 304 && route.is_some_and(of_others);
        let protection = route.map_or(Some(&OWN), |route| route.protection.as_ref());
        let protection = protection.filter(|_| !leaves_the_rest);
        if let (Some(protection), Ok(config)) = (protection, CONFIG.get(self.env)) {
            let https = self.asked.as_ref().is_ok_and(|asked| asked.https);
            for (name, value) in protection::headers(protection, config, https) {
                missing.add(name, &value);
            }
        }
        native::finish(response, set, &missing, cookies.as_deref())
    }
}

/// When it may be better to come again, in seconds. A failure that says so itself is not asked.
fn retry_after(
    problem: &Problem,
    maintenance: Option<&Maintenance>,
    route: Option<&Route>,
) -> Option<u32> {
    let default = match problem.code {
        Code::Unavailable if maintenance.is_some() => CLOSED,
        Code::Unavailable | Code::BadGateway | Code::GatewayTimeout => DOWN,
        _ => return None,
    };
    Some(
        route
            .and_then(|route| route.retry_after_seconds)
            .unwrap_or(default),
    )
}
