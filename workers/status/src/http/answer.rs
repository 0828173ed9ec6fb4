//! The public answers: a target's last observation in one of the shapes of `views`, and its history.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge::{Failure, Fresh, clock, log, not_found, reply};
use serde::Serialize;
use types::{
    Code, Range, TargetId, Timestamp,
    config::{StatusConfig, Target},
    prometheus,
    status::Status,
};
use worker::{Env, Request, Response};

use crate::{
    control::{self, Present},
    history::{
        self,
        series::{self, Chart, Span},
    },
    snapshot::{self, Seen, Snapshot},
    view,
    views::{self, badge, icon, mcsrvstat, mcstatus, metrics},
};

const PNG: &str = "image/png";
/// An icon changes seldom, and pages show it often.
const ICON_KEPT: &str = "public, max-age=300";

/// What this instance has read of the history, each range for its own time.
type Charts = BTreeMap<(TargetId, Range), Rc<Fresh<Chart>>>;

thread_local! {
    static CHARTS: RefCell<Charts> = RefCell::default();
}

/// One request, and what it reads.
pub struct Reader<'a> {
    request: &'a Request,
    env: &'a Env,
    config: &'a StatusConfig,
    now: Timestamp,
}

impl<'a> Reader<'a> {
    pub fn new(request: &'a Request, env: &'a Env, config: &'a StatusConfig) -> Self {
        Self {
            request,
            env,
            config,
            now: clock::now(),
        }
    }

    pub async fn status(&self, id: Option<&str>) -> Result<Response, Failure> {
        let target = self.target(id)?;
        self.shown(target, "status", |status| json(status)).await
    }

    pub async fn mcstatus(&self, address: &str) -> Result<Response, Failure> {
        let target = self.addressed(address)?;
        let shape = |status: &Status<'_>| json(&mcstatus::body(status, self.now));
        self.shown(target, "v2", shape).await
    }

    pub async fn mcsrvstat(&self, address: &str) -> Result<Response, Failure> {
        let target = self.addressed(address)?;
        let shape = |status: &Status<'_>| json(&mcsrvstat::body(status, self.now));
        self.shown(target, "v3", shape).await
    }

    pub async fn icon(&self, id: Option<&str>) -> Result<Response, Failure> {
        let target = self.target(id)?;
        let png = self.show(target, |shown| {
            icon::png(shown.and_then(|(status, _)| status.icon))
        });
        let response = self.bytes(PNG, png.await?)?;
        response.headers().set("Cache-Control", ICON_KEPT)?;
        Ok(response)
    }

    pub async fn badge(&self, id: &str) -> Result<Response, Failure> {
        let target = self.target(Some(id))?;
        let message =
            |shown: Option<(&Status<'_>, &str)>| badge::message(shown.map(|(status, _)| status));
        let (message, color) = self.show(target, message).await?;
        let label = self.query("label");
        let label = label.as_deref().unwrap_or(target.id.as_str());
        let svg = types::badge::svg(label, &message, color);
        self.bytes(types::badge::SVG, svg.into_bytes())
    }

    pub async fn history(&self, id: &str) -> Result<Response, Failure> {
        let target = self.target(Some(id))?;
        let range = Range::from_query(self.query("range").as_deref()).ok_or_else(|| {
            Failure::new(Code::BadRequest, "range is one of 24h, 7d, 30d and 90d")
        })?;
        let key = (target.id.clone(), range);
        let cache = CHARTS.with_borrow_mut(|charts| Rc::clone(charts.entry(key).or_default()));
        // Who has nothing kept has none of this kept either.
        let keeps = self.config.cache_seconds > 0;
        let keep_ms = if keeps { series::fresh_ms(range) } else { 0 };
        let known = cache.last().filter(|_| keeps);
        let read = async || {
            let (known, span) = (known.as_deref(), Span::until(range, self.now));
            let sums = history::read(self.env, &target.id, Chart::unread(known, span)).await?;
            Ok::<_, Failure>(Chart::of(&target.id, range, span, known, sums))
        };
        let got = cache.get(clock::millis(), keep_ms, read).await?;
        if let Some(failure) = got.error {
            log::warn("history", &failure.into_message());
        }
        self.bytes(reply::JSON, json(&got.value.series)?)
    }

    pub async fn metrics(&self) -> Result<Response, Failure> {
        let snapshot = Snapshot::latest(self.env, self.config).await?;
        let targets = &self.config.targets;
        let mut known = Vec::new();
        for target in targets {
            if let Some(seen) = snapshot.seen(target) {
                let present = self.present(target, &seen).await;
                known.push((target, seen, present));
            }
        }
        let shown: Vec<_> = known
            .iter()
            .map(|(target, seen, present)| {
                let mut status = view::status(&target.id, &seen.observation, self.now);
                control::overlay(&mut status, present);
                status
            })
            .collect();
        let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let response = reply::bytes(
            200,
            prometheus::MEDIA_TYPE,
            metrics::text(&shown, count).into_bytes(),
        )?;
        response.headers().set("Cache-Control", "no-store")?;
        Ok(response)
    }

    fn target(&self, id: Option<&str>) -> Result<&'a Target, Failure> {
        let mut targets = self.config.targets.iter();
        let target = targets.find(|target| id.is_none_or(|id| target.id.as_str() == id));
        target.ok_or_else(|| not_found("such target"))
    }

    /// Never an open pinger: an address that is not configured is not there.
    fn addressed(&self, address: &str) -> Result<&'a Target, Failure> {
        views::addressed(&self.config.targets, address)
            .ok_or_else(|| not_found("target of this address"))
    }

    /// Puts a target's status together and shows it with the text that its tag is of; `None` before
    /// the first ping.
    async fn show<T>(
        &self,
        target: &Target,
        show: impl FnOnce(Option<(&Status<'_>, &str)>) -> T,
    ) -> Result<T, Failure> {
        let snapshot = Snapshot::latest(self.env, self.config).await?;
        let Some(seen) = snapshot.seen(target) else {
            return Ok(show(None));
        };
        let present = self.present(target, &seen).await;
        let mut status = view::status(&target.id, &seen.observation, self.now);
        let observed = view::tagged_text(&seen.digest, status.stale);
        let tagged = format!("{observed}{}", present.tagged_text());
        control::overlay(&mut status, &present);
        Ok(show(Some((&status, &tagged))))
    }

    /// What is in force for a target.
    async fn present(&self, target: &Target, seen: &Seen) -> Present {
        let document = snapshot::document(self.env, self.config).await;
        Present::of(&document, &target.id, Some(&seen.observation), self.now)
    }

    /// The same as JSON in the named shape; there is none before the first ping.
    async fn shown(
        &self,
        target: &Target,
        shape: &str,
        body: impl FnOnce(&Status<'_>) -> Result<Vec<u8>, Failure>,
    ) -> Result<Response, Failure> {
        self.show(target, |shown| {
            let (status, tagged) = shown.ok_or_else(|| not_pinged(target))?;
            let tag = reply::tag_of(format!("{shape} {tagged}").as_bytes());
            reply::tagged(self.request.headers(), &tag, reply::JSON, || body(status))
        })
        .await?
    }

    fn query(&self, name: &str) -> Option<String> {
        let pairs = edge::query(self.request).into_iter();
        pairs
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Bytes that tell no time: they are their own tag.
    fn bytes(&self, media_type: &str, bytes: Vec<u8>) -> Result<Response, Failure> {
        let tag = reply::tag_of(&bytes);
        reply::tagged(self.request.headers(), &tag, media_type, || Ok(bytes))
    }
}

fn not_pinged(target: &Target) -> Failure {
    let detail = format!(
        "{} has not been pinged yet; try again in a minute",
        target.id
    );
    Failure::new(Code::Unavailable, detail).with_header("Retry-After", "60")
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::internal(error.to_string()))
}
