//! What the last run of the cron saw, in R2.

use edge::{Failure, log, r2};

use super::Platform;
use crate::report::Report;

pub const REPORT: &str = "sweep.json";

impl Platform {
    /// The last run's; `None` before the first one, and when it cannot be read: the next run writes
    /// it again.
    pub async fn report(&self) -> Result<Option<Report>, Failure> {
        let Some(stored) = r2::read_text(&self.bucket, REPORT).await? else {
            return Ok(None);
        };
        let broken = |error: serde_json::Error| log::warn("sweep", &format!("{REPORT}: {error}"));
        Ok(serde_json::from_str(&stored.text).map_err(broken).ok())
    }

    /// Written over whatever is there: the last one counts.
    pub async fn keep_report(&self, report: &Report) -> Result<(), Failure> {
        let text =
            serde_json::to_string(report).map_err(|error| Failure::internal(error.to_string()))?;
        r2::replace(&self.bucket, REPORT, text).await.map(drop)
    }
}
