//! What one run of the cron saw, kept until the next one: what `GET /api/health` and `GET /metrics`
//! tell without looking at everything themselves.
//!
//! State: R2 `sweep.json`. Counts and names of parts of this program; nothing of who uploaded what.

use serde::{Deserialize, Serialize};
use types::{Timestamp, pack::CheckState, status::Version1};

use crate::{
    registry::Registry,
    uploads::{Record, State},
};

/// What has waited longer than this, in seconds, was announced twice by now (by R2 or its client, and
/// by the cron), and still nobody has taken it up.
const STUCK: i64 = 20 * 60;

/// The stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    v: Version1,
    /// The moment for which the run was due.
    pub at: Timestamp,
    /// The parts of the run that failed; the log says how.
    pub failed: Vec<String>,
    /// Packs whose registry cannot be read.
    pub unreadable: u32,
    /// Packs of which KV said something else than R2, and was put right.
    pub kv_put_right: u32,
    /// Runs in a row that had to do so, this one included.
    pub kv_runs: u32,
    /// Channels whose release could not be fetched from its public URL.
    pub unfetchable: u32,
    pub uploads: UploadCounts,
}

/// Uploads in parts, and objects put into `incoming/`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadCounts {
    /// Under way: parts are missing, or they are being verified.
    pub waiting: u32,
    /// Of these, those that nobody has taken up for too long.
    pub stuck: u32,
    /// Rejected lately, as far as it can still be asked for.
    pub rejected: u32,
    /// Of these, objects that were put there directly and still lie there: nobody was answered.
    pub rejected_left: u32,
}

impl Report {
    pub fn new(at: Timestamp) -> Self {
        Self {
            v: Version1,
            at,
            failed: Vec::new(),
            unreadable: 0,
            kv_put_right: 0,
            kv_runs: 0,
            unfetchable: 0,
            uploads: UploadCounts::default(),
        }
    }

    /// A part of the run has failed.
    pub fn fail(&mut self, part: &str) {
        if !self.failed.iter().any(|failed| failed == part) {
            self.failed.push(part.to_owned());
        }
    }

    /// Counts what the registries tell.
    pub fn look_at(&mut self, registries: &[Registry], unreadable: usize) {
        self.unreadable = count(unreadable);
        let failed = |registry: &Registry| {
            let pointers = registry.pack().channels.values();
            pointers
                .filter_map(|pointer| registry.release(&pointer.sha1))
                .filter(|release| release.check.state == CheckState::Failed)
                .count()
        };
        self.unfetchable = count(registries.iter().map(failed).sum());
    }

    /// Goes on counting where the run before has stopped.
    pub fn follow(&mut self, before: Option<&Self>) {
        let before = before.map_or(0, |before| before.kv_runs);
        self.kv_runs = match self.kv_put_right {
            0 => 0,
            _ => before.saturating_add(1),
        };
    }
}

impl UploadCounts {
    /// Counts an upload by its record. `is_there`: whether the object that it tells of is.
    pub fn count(&mut self, record: &Record, is_there: bool, now: Timestamp) {
        match record.state {
            State::Uploading | State::Verifying if record.has_expired(now) => {}
            State::Uploading => self.waiting += 1,
            State::Verifying => self.wait(now - record.state_since),
            State::Rejected if record.is_forgotten(now) => {}
            State::Rejected => {
                self.rejected += 1;
                self.rejected_left += u32::from(is_there);
            }
            State::Ready => {}
        }
    }

    /// Counts an object of this age that has no record.
    pub fn unannounced(&mut self, age: i64) {
        self.wait(age);
    }

    fn wait(&mut self, seconds: i64) {
        self.waiting += 1;
        self.stuck += u32::from(seconds > STUCK);
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
