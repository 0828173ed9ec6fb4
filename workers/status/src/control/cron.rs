//! The cron's part: what is to be repaired, latched or forgotten.

use edge::{Failure, log};
use types::{TargetId, Timestamp, config::StatusConfig, control::Document};
use worker::Env;

use super::{
    book::{self, Current},
    effective,
    store::{KEY, Platform},
};
use crate::store::{self, Kept, Store};

/// Who ended what ended by itself.
const BY_SCHEDULE: &str = "auto-end";
/// How long a proxy is listed that reports no more.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;
/// How long a revision is kept at least; the last fifty are kept for ever.
const HISTORY_SECONDS: i64 = 400 * 24 * 60 * 60;

/// One run, due at `now`. Running it twice does no harm.
pub async fn tick(env: &Env, config: &StatusConfig, now: Timestamp) -> Result<(), Failure> {
    let platform = Platform::new(env)?;
    let current = book::current(&platform, now).await?;
    if let Some(problem) = &current.problem {
        let told = format!(
            "KV {KEY}: {problem}; revision {} stays in force",
            current.document.revision
        );
        log::error("control", &told);
    }
    let awaits = |document: &Document, id: &TargetId| effective::awaits_health(document, id, now);
    // Most of the time there is nothing to look for.
    let targets = config.targets.iter();
    let kept = if targets
        .clone()
        .any(|target| awaits(&current.document, &target.id))
    {
        Store::new(env).kept().await?
    } else {
        Kept::new()
    };
    let over = |document: &Document| -> Vec<_> {
        let targets = targets.clone();
        targets
            .filter(|target| awaits(document, &target.id))
            .filter_map(|target| {
                let seen = store::read(&kept, target);
                let ends_at = effective::to_latch(document, &target.id, seen.as_ref(), now)?;
                Some((target.id.clone(), ends_at))
            })
            .collect()
    };
    if !over(&current.document).is_empty() {
        let latched = |last: &Current| {
            let mut document = last.document.clone();
            document.ended.extend(over(&last.document));
            Ok(document)
        };
        book::change(&platform, BY_SCHEDULE, now, latched).await?;
    }
    if now.as_seconds().rem_euclid(3600) < 60 {
        platform
            .forget(now.plus_seconds(-FORGOTTEN_SECONDS))
            .await?;
        let before = now.plus_seconds(-HISTORY_SECONDS);
        platform.forget_history(before).await?;
    }
    Ok(())
}
