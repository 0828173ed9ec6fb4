//! What a proxy says of itself while it polls: `X-Applied-Revision` and `X-Proxy-Name`.
//!
//! Nothing vouches for it, so it is only ever shown to operators, and costs little: an instance
//! remembers what it has written down, and the database takes only what is new (`store`).

use std::{cell::RefCell, collections::BTreeMap};

use edge::{Failure, log};
use types::{Code, TargetId, Timestamp};
use worker::{Env, Headers};

use super::store::Platform;

/// A proxy that says the same again is written down this often, in seconds.
const REPEAT_SECONDS: i64 = 600;
const MAX_NAME: usize = 64;
/// The most proxies that an instance remembers.
const REMEMBERED: usize = 64;

/// A proxy runs a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub target: TargetId,
    pub name: String,
    pub revision: u32,
}

thread_local! {
    static WRITTEN: RefCell<BTreeMap<(TargetId, String), (u32, Timestamp)>> = const { RefCell::new(BTreeMap::new()) };
}

/// The report in a request, if there is one; 400 for one that is none.
pub fn read(headers: &Headers, target: &TargetId) -> Result<Option<Report>, Failure> {
    let Some(revision) = headers.get("x-applied-revision")? else {
        return Ok(None);
    };
    report(&revision, headers.get("x-proxy-name")?, target)
        .map(Some)
        .map_err(|problem| Failure::new(Code::BadRequest, problem))
}

fn report(revision: &str, name: Option<String>, target: &TargetId) -> Result<Report, &'static str> {
    let digits = revision.bytes().all(|byte| byte.is_ascii_digit());
    let revision = revision.parse().ok().filter(|_| digits);
    let revision = revision.ok_or("X-Applied-Revision: must be a revision, a whole number")?;
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let name = name
        .filter(|name| (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(inner))
        .ok_or("X-Proxy-Name: must be 1 to 64 of A-Z, a-z, 0-9 and . _ -")?;
    Ok(Report {
        target: target.clone(),
        name,
        revision,
    })
}

/// Writes a report down, if it says something new. That it fails is survived: it comes again.
pub async fn keep(env: &Env, report: Report, now: Timestamp) {
    let key = (report.target.clone(), report.name.clone());
    let known = WRITTEN.with_borrow(|written| written.get(&key).copied());
    if known.is_some_and(|(revision, at)| revision == report.revision && now - at < REPEAT_SECONDS)
    {
        return;
    }
    let kept = async { Platform::new(env)?.report(&report, now).await };
    match kept.await {
        Ok(true) => WRITTEN.with_borrow_mut(|written| {
            if written.len() >= REMEMBERED {
                written.clear();
            }
            written.insert(key, (report.revision, now));
        }),
        // Written by another instance, or too often: the database looked, and remembers.
        Ok(false) => {}
        Err(failure) => log::warn("proxies", &failure.into_message()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_revision_and_a_name() {
        let target: TargetId = "main".parse().unwrap();
        let read = |revision: &str, name: &str| report(revision, Some(name.to_owned()), &target);
        let good = read("12", "proxy-1.eu_a").unwrap();
        assert_eq!((good.revision, good.name.as_str()), (12, "proxy-1.eu_a"));
        for revision in ["", "-1", "+1", "1.0", "12345678901", "x", " 1"] {
            assert!(read(revision, "a").is_err(), "{revision:?}");
        }
        for name in ["", "a b", "<script>", "ä", &"x".repeat(65)] {
            assert!(read("1", name).is_err(), "{name:?}");
        }
        assert!(report("1", None, &target).is_err());
    }
}
