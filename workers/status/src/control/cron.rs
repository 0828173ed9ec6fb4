//! The cron's part: what is to be repaired, latched or forgotten.

use edge::{Failure, log};
use types::{Timestamp, config::StatusConfig, control::Document};
use worker::Env;

use super::{
    book::{self, Current},
    effective,
    store::{KEY, Platform},
};
use crate::round::Seen;

/// Who ended what ended by itself.
pub const BY_SCHEDULE: &str = "auto-end";
/// How long a proxy is listed that reports no more.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;
/// How long a revision is kept at least; the last fifty are kept for ever.
const HISTORY_SECONDS: i64 = 400 * 24 * 60 * 60;

/// One run, due at `now`, after pings that saw this, if there were any: not all that they see is
/// written to KV. Running it twice does no harm.
pub async fn tick(
    env: &Env,
    config: &StatusConfig,
    seen: Option<&Seen>,
    now: Timestamp,
) -> Result<(), Failure> {
    let platform = Platform::new(env)?;
    let current = book::current(&platform, now).await?;
    if let Some(problem) = &current.problem {
        let told = format!(
            "KV {KEY}: {problem}; revision {} stays in force",
            current.document.revision
        );
        log::error("control", &told);
    }
    let over = |document: &Document| -> Vec<_> {
        let targets = config.targets.iter();
        targets
            .filter_map(|target| {
                let seen = seen?.get(&target.id);
                let ends_at = effective::to_latch(document, &target.id, seen, now)?;
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
