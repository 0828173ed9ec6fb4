//! The cron: collects bodies that were staged and never came to anything.

use edge::{Failure, clock, log};
use types::Timestamp;
use worker::Env;

use crate::store::Platform;

/// How long a staged body may lie: far longer than any upload takes.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// What R2 deletes in one call.
const AT_ONCE: usize = 1000;

/// Deletes what was staged more than a day ago. Running it twice changes nothing.
pub async fn sweep(env: &Env, now: Timestamp) -> Result<(), Failure> {
    let platform = Platform::new(env)?;
    let staged = platform.staged().await?;
    let old = staged
        .iter()
        .filter(|object| is_abandoned(clock::stored_at(object), now));
    let keys: Vec<String> = old.map(worker::Object::key).collect();
    for some in keys.chunks(AT_ONCE) {
        platform.bucket.delete_multiple(some.to_vec()).await?;
        let collected = format!("{} abandoned uploads collected", some.len());
        log::info("staging", &collected);
    }
    Ok(())
}

fn is_abandoned(stored_at: Timestamp, now: Timestamp) -> bool {
    now - stored_at > KEPT_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_under_way_is_never_collected() {
        let now = Timestamp::from_seconds(1_795_255_200);
        assert!(!is_abandoned(now, now));
        assert!(!is_abandoned(now.plus_seconds(-KEPT_SECONDS), now));
        assert!(!is_abandoned(now.plus_seconds(60), now), "clocks differ");
        assert!(is_abandoned(now.plus_seconds(-KEPT_SECONDS - 1), now));
    }
}
