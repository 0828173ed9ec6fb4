//! What an instance remembers from one run of the cron to the next.
//!
//! KV does not have it all: a run whose snapshot is not written counts failures too, and what
//! another data centre reads may be a minute old. A new instance begins with what is stored, and
//! nothing depends on more.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use types::{
    TargetId, Timestamp,
    status::{Observation, Writes},
};

use crate::{governor, resolve::Cache};

/// The last run's knowledge.
#[derive(Debug, Default)]
pub struct Memory {
    pub targets: Rc<BTreeMap<TargetId, Observation>>,
    pub dns: Cache,
    pub writes: Option<Writes>,
    /// What KV held, or was given.
    pub stored: Option<Rc<Stored>>,
}

/// A value of KV, read: most runs find the same again.
#[derive(Debug)]
pub struct Stored {
    pub text: Option<String>,
    pub targets: Rc<BTreeMap<TargetId, Observation>>,
    /// Whether all that it holds is of a target that there is, and could be read.
    pub is_whole: bool,
    pub dns: Cache,
    pub writes: Option<Writes>,
}

/// As old as this is what the last run saw; what an earlier one saw is older. In seconds.
const LAST_RUN_SECONDS: i64 = 90;

thread_local! {
    static LAST: RefCell<Memory> = RefCell::default();
}

impl Memory {
    /// What the last run left. A second run at the same time finds nothing, and lives from KV.
    pub fn take() -> Self {
        LAST.take()
    }

    pub fn leave(self) {
        LAST.set(self);
    }

    /// What was seen of a target last.
    pub fn newest<'a>(
        &'a self,
        id: &TargetId,
        stored: Option<&'a Observation>,
    ) -> Option<&'a Observation> {
        let seen = self.targets.get(id).into_iter().chain(stored);
        seen.max_by_key(|seen| seen.retrieved_at)
    }

    /// Whether this instance made the last run, a minute ago.
    pub fn is_of_last_run(&self, now: Timestamp) -> bool {
        let mut seen = self.targets.values();
        seen.any(|seen| now - seen.retrieved_at <= LAST_RUN_SECONDS)
    }

    /// What DNS said and how often was written, with what is stored of that.
    pub fn joined(&self, dns: Cache, writes: Option<Writes>) -> (Cache, Option<Writes>) {
        let mut all = dns;
        for (key, answer) in &self.dns {
            match all.get(key) {
                Some(known) if known.until >= answer.until => {}
                _ => drop(all.insert(key.clone(), answer.clone())),
            }
        }
        (all, governor::latest(self.writes, writes))
    }
}

#[cfg(test)]
mod tests {
    use types::status::DnsAnswer;

    use super::*;
    use crate::observe::tests::answered_at;

    #[test]
    fn the_newest_knowledge_is_the_one_that_counts() {
        let id: TargetId = "main".parse().unwrap();
        let memory = Memory {
            targets: Rc::new([(id.clone(), answered_at(60))].into()),
            ..Memory::default()
        };
        let (older, newer) = (answered_at(0), answered_at(120));
        let at = |stored| {
            memory
                .newest(&id, stored)
                .unwrap()
                .retrieved_at
                .as_seconds()
        };
        assert_eq!(
            (at(None), at(Some(&older)), at(Some(&newer))),
            (60, 60, 120)
        );
        let nothing = Memory::default();
        assert_eq!(nothing.newest(&id, Some(&older)), Some(&older));
        assert_eq!(nothing.newest(&id, None), None);
    }

    #[test]
    fn the_last_run_was_a_minute_ago() {
        let memory = Memory {
            targets: Rc::new([("main".parse().unwrap(), answered_at(0))].into()),
            ..Memory::default()
        };
        let after = |seconds| memory.is_of_last_run(Timestamp::from_seconds(seconds));
        assert_eq!([60, 80, 120].map(after), [true, true, false]);
        assert!(!Memory::default().is_of_last_run(Timestamp::from_seconds(60)));
    }

    #[test]
    fn of_two_answers_of_dns_the_one_that_holds_longer_stays() {
        let answer = |until| DnsAnswer {
            until: Timestamp::from_seconds(until),
            exists: true,
            records: Vec::new(),
        };
        let cache = |entries: &[(&str, i64)]| -> Cache {
            let entries = entries.iter();
            entries
                .map(|&(key, until)| (key.to_owned(), answer(until)))
                .collect()
        };
        let memory = Memory {
            dns: cache(&[("a", 5), ("b", 5), ("c", 5)]),
            ..Memory::default()
        };
        let (joined, _) = memory.joined(cache(&[("b", 9), ("c", 1), ("d", 1)]), None);
        assert_eq!(joined, cache(&[("a", 5), ("b", 9), ("c", 5), ("d", 1)]));
    }

    #[test]
    fn it_is_left_once_and_taken_once() {
        Memory {
            dns: [(
                "a".to_owned(),
                DnsAnswer {
                    until: Timestamp::from_seconds(1),
                    exists: false,
                    records: Vec::new(),
                },
            )]
            .into(),
            ..Memory::default()
        }
        .leave();
        assert_eq!(Memory::take().dns.len(), 1);
        assert_eq!(Memory::take().dns.len(), 0);
    }
}
