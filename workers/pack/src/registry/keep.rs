//! How long a release stays: deletion by request, and collection of what is old and unused.

use std::collections::HashSet;

use types::{
    Sha1, Timestamp,
    pack::{Change, ChangeKind},
};

use super::{Author, HISTORY, Registry};

/// Why a release is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteError {
    NoSuchRelease,
    /// What points to it: `channel "stable"`, `a pin`.
    Referenced(Vec<String>),
}

/// What a collection leaves alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// The releases with the highest numbers, this many: a client keeps its last packs.
    pub newest: usize,
    /// What was uploaded, or last pointed to, later than this.
    pub uploaded_after: Timestamp,
    /// What was downloaded lately.
    pub downloaded: HashSet<Sha1>,
}

impl Registry {
    /// What points to a release, in words; empty if nothing does.
    pub fn references(&self, sha1: &Sha1) -> Vec<String> {
        let pack = &self.pack;
        let channels = pack
            .channels
            .iter()
            .filter(|(_, pointer)| pointer.sha1 == *sha1)
            .map(|(channel, _)| format!("channel \"{channel}\""));
        let pins = pack
            .pins
            .iter()
            .filter(|pin| *pin == sha1)
            .map(|_| "a pin".to_owned());
        let scheduled = pack
            .scheduled
            .iter()
            .filter(|scheduled| scheduled.sha1 == *sha1)
            .map(|scheduled| format!("what is scheduled for channel \"{}\"", scheduled.channel));
        channels.chain(pins).chain(scheduled).collect()
    }

    /// Takes a release out, unless something points to it.
    pub fn delete(&mut self, sha1: &Sha1, author: &Author) -> Result<(), DeleteError> {
        self.release(sha1).ok_or(DeleteError::NoSuchRelease)?;
        let references = self.references(sha1);
        if !references.is_empty() {
            return Err(DeleteError::Referenced(references));
        }
        self.take_out(sha1, ChangeKind::Delete, author);
        Ok(())
    }

    /// The releases that a collection would take out: unreferenced, old, not used lately, and given
    /// to no client by its version. A deletion by request does not ask for the last: nothing else
    /// takes such a release back.
    pub fn collectable(&self, retention: &Retention) -> Vec<Sha1> {
        let mut releases: Vec<_> = self.pack.releases.iter().collect();
        releases.sort_by_key(|release| std::cmp::Reverse(release.release));
        let mut old: Vec<_> = releases
            .into_iter()
            .skip(retention.newest)
            .filter(|release| release.uploaded_at <= retention.uploaded_after)
            .map(|release| release.sha1)
            .filter(|sha1| {
                let named = self.last_named(sha1);
                named.is_none_or(|at| at <= retention.uploaded_after)
            })
            .filter(|sha1| !retention.downloaded.contains(sha1) && self.references(sha1).is_empty())
            .collect();
        // Looks at each version there is; mostly nothing is old.
        if !old.is_empty() {
            let given = self.given();
            old.retain(|sha1| !given.contains(sha1));
        }
        old
    }

    /// Takes out what [`Registry::collectable`] names.
    pub fn collect(&mut self, retention: &Retention, author: &Author) -> Vec<Sha1> {
        let old = self.collectable(retention);
        for sha1 in &old {
            self.take_out(sha1, ChangeKind::Collect, author);
        }
        old
    }

    /// When the history last named these bytes: when they last came to be, or ceased to be, what
    /// something points to. If it does not reach back to its beginning, that may have been as late
    /// as the oldest change that it has.
    pub fn last_named(&self, sha1: &Sha1) -> Option<Timestamp> {
        let concerns = |change: &&Change| {
            let pinned = change.settings.iter().any(|settings| {
                settings.before.pins.contains(sha1) != settings.after.pins.contains(sha1)
            });
            pinned || change.before == Some(*sha1) || change.after == Some(*sha1)
        };
        let history = &self.pack.history;
        let named = history
            .iter()
            .filter(concerns)
            .map(|change| change.at)
            .max();
        let oldest = history.first().filter(|_| history.len() >= HISTORY);
        named.or(oldest.map(|change| change.at))
    }

    fn take_out(&mut self, sha1: &Sha1, action: ChangeKind, author: &Author) {
        // What was stored before numbers were kept does not have it.
        let number = self.release(sha1).map_or(0, |release| release.release);
        self.last_release = self.last_release.max(number);
        let pack = &mut self.pack;
        pack.releases.retain(|release| release.sha1 != *sha1);
        for pointer in pack.channels.values_mut() {
            pointer.earlier.retain(|earlier| earlier.sha1 != *sha1);
        }
        self.record_change(author, action, None, Some(*sha1), None);
    }
}
