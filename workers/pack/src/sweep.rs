//! The cron: collects bodies that were staged and never came to anything.

use edge::{Failure, clock, log};
use types::Timestamp;
use worker::Env;

use crate::store::Platform;

/// How long a staged body may lie: far longer than any upload takes.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// Deletes what was staged more than a day ago. Running it twice changes nothing.
pub async fn sweep(env: &Env, now: Timestamp) -> Result<(), Failure> {
    let platform = Platform::new(env)?;
    let staged = platform.staged().await?;
    let old = staged
        .iter()
        .filter(|object| now - clock::stored_at(object) > KEPT_SECONDS);
    let keys: Vec<String> = old.map(worker::Object::key).collect();
    if !keys.is_empty() {
        log::info(
            "staging",
            &format!("{} abandoned uploads collected", keys.len()),
        );
        platform.bucket.delete_multiple(keys).await?;
    }
    Ok(())
}
