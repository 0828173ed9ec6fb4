//! Passing a request on to a worker or an origin, and its answer back.

use std::cell::RefCell;

use edge::{Failure, log};
use types::{
    Code,
    config::{Auth, BindingName, Origin, Route},
};
use worker::{Env, Request, wasm_bindgen::JsValue, web_sys, worker_sys::Fetcher};

use super::native::{self, Lines, NoAnswer, Onward};
use crate::{
    access,
    asked::Asked,
    down::{self, Down, Head},
    onward::{self, CameFrom, Said},
    origin::Mapping,
};

/// The secrets of the Cloudflare Access service token, and the headers that carry it.
const ACCESS: [(&str, &str); 2] = [
    ("ACCESS_CLIENT_ID", "cf-access-client-id"),
    ("ACCESS_CLIENT_SECRET", "cf-access-client-secret"),
];

/// What is passed on.
pub struct Passage<'a> {
    pub request: &'a Request,
    pub env: &'a Env,
    pub asked: &'a Asked,
    pub route: &'a Route,
    pub traceparent: &'a str,
    /// Whether the client's own `traceparent` is the one that is passed on.
    pub traced: bool,
    /// What the log is told, and the client is not, when nothing comes back.
    pub why: &'a RefCell<Option<String>>,
}

impl Passage<'_> {
    /// To a worker of ours, whose answer comes back as it is.
    pub async fn to_worker(&self, worker: &BindingName) -> Result<web_sys::Response, Failure> {
        let service: Fetcher = match self.env.service(&worker.binding()) {
            Ok(service) => service.into_rpc(),
            Err(error) => return Err(self.broken(&error.to_string())),
        };
        let Asked { path, query, .. } = self.asked;
        let url = format!("{}{path}{query}", self.public());
        let set = self.headers(None)?;
        self.send(&service, &url, &set, Vec::new()).await
    }

    /// To an origin; what its answer says about itself reads from outside.
    pub async fn to_origin(&self, origin: &Origin) -> Result<Answered, Failure> {
        let public = self.public();
        let mapping = Mapping {
            origin,
            prefix: self.route.path.as_str(),
            public: &public,
        };
        let mut set = self.headers(Some(mapping.stripped()))?;
        let mut without = Vec::new();
        if origin.access {
            self.add_access(&mut set, &mut without)?;
        }
        let url = mapping.target(&self.asked.path, &self.asked.query);
        let response = self.send(&JsValue::UNDEFINED, &url, &set, without).await?;
        self.refuse_proxys_errors(&response)?;
        outward(mapping, response)
    }

    /// `without` are headers that this request does not take along beside those that none does.
    async fn send(
        &self,
        to: &JsValue,
        url: &str,
        set: &Lines,
        mut without: Vec<String>,
    ) -> Result<web_sys::Response, Failure> {
        let headers = self.request.headers();
        let (connection, upgrade) = (headers.get("connection")?, headers.get("upgrade")?);
        let said = Said {
            connection: connection.as_deref(),
            upgrade: upgrade.as_deref(),
        };
        without.extend(onward::dropped(said));
        if matches!(
            self.route.auth,
            Auth::Bearer {
                forward_token: false,
                ..
            }
        ) {
            without.push("authorization".to_owned());
        }
        if !self.traced {
            without.push("tracestate".to_owned());
        }
        let onward = Onward {
            request: self.request.inner(),
            to,
            url,
            without: &without,
            set,
            milliseconds: self.route.timeout_seconds * 1000,
        };
        let response = onward.send().await.map_err(|error| match error {
            NoAnswer::Broken(words) => self.broken(&words),
            NoAnswer::Late => self.late(),
        })?;
        match response.status() {
            200..=599 => Ok(response),
            101 if onward::is_websocket(upgrade.as_deref()) => Ok(response),
            status => {
                native::dismiss(&response);
                Err(self.broken(&format!("an answer with the status {status}")))
            }
        }
    }

    /// The headers that the gateway sets.
    fn headers(&self, prefix: Option<&str>) -> Result<Lines, Failure> {
        let client = self.request.headers().get("cf-connecting-ip")?;
        let from = CameFrom {
            client: client.as_deref(),
            https: self.asked.https,
            authority: &self.asked.authority,
            prefix,
        };
        let mut lines = Lines::default();
        for (name, value) in onward::came_from(from) {
            lines.add(name, &value);
        }
        lines.add("traceparent", self.traceparent);
        Ok(lines)
    }

    /// The service token, in the place of a session that the client may have. Without the whole token
    /// the origin would be asked as a stranger: nothing is asked then.
    fn add_access(&self, set: &mut Lines, without: &mut Vec<String>) -> Result<(), Failure> {
        for (secret, header) in ACCESS {
            let value = self.env.secret(secret).map(|secret| secret.to_string());
            let Some(value) = value.ok().filter(|value| is_plain(value)) else {
                let error = format!("{}: the secret {secret} is not set", self.route);
                log::error("access", &error);
                let detail = format!("configuration: the secret {secret} is not set");
                return Err(Failure::new(Code::Unavailable, detail));
            };
            set.add(header, &value);
        }
        without.extend(access::CLAIMS.map(str::to_owned));
        let cookies = self.request.headers().get("cookie")?;
        match cookies.as_deref().and_then(access::without_session) {
            None => {}
            Some(kept) if kept.is_empty() => without.push("cookie".to_owned()),
            Some(kept) => set.add("cookie", &kept),
        }
        Ok(())
    }

    /// Scheme, host and port as the client has them.
    fn public(&self) -> String {
        let scheme = if self.asked.https { "https" } else { "http" };
        format!("{scheme}://{}", self.asked.authority)
    }

    /// When a Tunnel or what is behind it is down, asking does not fail: a proxy on the way answers in
    /// the origin's place.
    fn refuse_proxys_errors(&self, response: &web_sys::Response) -> Result<(), Failure> {
        let (status, headers) = (response.status(), response.headers());
        let of = |name| headers.get(name).map_err(worker::Error::from);
        let (content_type, content_length) = (of("content-type")?, of("content-length")?);
        let head = Head {
            status,
            content_type: content_type.as_deref(),
            content_length: content_length.as_deref(),
        };
        let failure = match down::of(head) {
            None => return Ok(()),
            Some(Down::Unreachable) => self.broken(&format!("a proxy on the way says {status}")),
            Some(Down::Late) => self.given_up(status),
        };
        native::dismiss(response);
        Err(failure)
    }

    /// The client learns that something behind the door failed; the log, what.
    fn broken(&self, error: &str) -> Failure {
        self.why.replace(Some(error.to_owned()));
        let detail = "the service behind this address did not answer";
        Failure::new(Code::BadGateway, detail)
    }

    fn late(&self) -> Failure {
        let seconds = self.route.timeout_seconds;
        self.why
            .replace(Some(format!("no answer within {seconds} s")));
        let detail = format!("the service behind this address did not answer within {seconds} s");
        Failure::new(Code::GatewayTimeout, detail)
    }

    /// Somebody else waited, for a time of their own.
    fn given_up(&self, status: u16) -> Failure {
        let why = format!("a proxy on the way gave up waiting: it says {status}");
        self.why.replace(Some(why));
        let detail = "the service behind this address did not answer before Cloudflare or a proxy gave up waiting";
        Failure::new(Code::GatewayTimeout, detail)
    }
}

/// Whether a secret can be a header.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An answer, and what of its headers reads otherwise from outside.
pub struct Answered {
    pub response: web_sys::Response,
    pub set: Lines,
    pub cookies: Option<Vec<String>>,
}

impl Answered {
    pub fn as_it_is(response: web_sys::Response) -> Self {
        Self {
            response,
            set: Lines::default(),
            cookies: None,
        }
    }
}

fn outward(mapping: Mapping<'_>, response: web_sys::Response) -> Result<Answered, Failure> {
    let headers = response.headers();
    let mut set = Lines::default();
    for name in ["location", "content-location"] {
        let value = headers.get(name).map_err(worker::Error::from)?;
        if let Some(value) = value.and_then(|value| mapping.reference(&value)) {
            set.add(name, &value);
        }
    }
    let refresh = headers.get("refresh").map_err(worker::Error::from)?;
    if let Some(refresh) = refresh.and_then(|value| mapping.refresh(&value)) {
        set.add("refresh", &refresh);
    }
    let mut cookies = None;
    if headers.has("set-cookie").map_err(worker::Error::from)? {
        let own = native::cookies(&response);
        let kept = own.iter().filter(|cookie| mapping.passes(cookie));
        let outward: Vec<_> = kept
            .map(|cookie| mapping.cookie(cookie).unwrap_or_else(|| cookie.clone()))
            .collect();
        cookies = (outward != own).then_some(outward);
    }
    Ok(Answered {
        response,
        set,
        cookies,
    })
}
