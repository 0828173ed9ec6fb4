//! Which changes others are still to be told of.
//!
//! Changes are numbered from 1. What is owed is saved together with the change, so that it is known
//! whatever happens afterwards, and forgotten when a message about it has come out of the queue.

use types::{
    Sha1,
    pack::{Change, ChangeKind},
};
use uuid::{Builder, Uuid};

use super::Registry;

/// A change with its number.
pub type Numbered<'a> = (u64, &'a Change);

/// Whether others are told of it: a channel points elsewhere.
pub fn is_told(change: &Change) -> bool {
    matches!(change.action, ChangeKind::Publish | ChangeKind::Rollback)
}

impl Registry {
    /// What the history has, the newest first; of what was stored before changes had numbers,
    /// nothing.
    fn numbered(&self) -> impl Iterator<Item = Numbered<'_>> {
        (1..=self.changes).rev().zip(self.pack.history.iter().rev())
    }

    /// What was changed since the registry was `before`, oldest first.
    pub fn changes_since(&self, before: &Self) -> Vec<Numbered<'_>> {
        let numbered = self.numbered();
        let mut since: Vec<_> = numbered
            .take_while(|(number, _)| *number > before.changes)
            .collect();
        since.reverse();
        since
    }

    /// Writes down that others are to be told of what was changed since.
    pub fn owe(&mut self, before: &Self) {
        let since = self.changes_since(before).into_iter();
        let owed: Vec<u64> = since
            .filter(|(_, change)| is_told(change))
            .map(|(number, _)| number)
            .collect();
        self.owed.extend(owed);
    }

    /// What others are still to be told of, oldest first.
    pub fn owed(&self) -> Vec<Numbered<'_>> {
        let numbered = self.numbered();
        let mut owed: Vec<_> = numbered
            .filter(|(number, _)| self.owed.contains(number))
            .collect();
        owed.reverse();
        owed
    }

    /// Others are being told; also of what the history no longer has.
    pub fn settle(&mut self, number: u64) {
        let first = self.numbered().last().map_or(0, |(first, _)| first);
        self.owed.retain(|owed| *owed != number && *owed >= first);
    }

    /// By what others recognise a change of this pack when they are told of it twice.
    pub fn id_of(&self, number: u64) -> Uuid {
        let hash = Sha1::of(format!("{}\n{number}", self.pack.uuid).as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Builder::from_sha1_bytes(bytes).into_uuid()
    }
}
