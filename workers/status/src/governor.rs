//! When an observation is worth a write: KV takes 1,000 a day.
//!
//! A write is due when a reader would learn something from it, or when what is stored is about to
//! look old. Latency is different each minute and no reason.

use std::collections::BTreeMap;

use types::{
    TargetId, Timestamp,
    status::{Answer, Observation, Player, Players},
};

/// What is stored is never older than this while the cron runs, in seconds. A reader far away sees
/// a write about a minute late, and at 300 seconds takes it for stale.
const HEARTBEAT_SECONDS: i64 = 240;
/// The cron's period, and what it may be early by.
const TICK_SECONDS: i64 = 60;
const JITTER_SECONDS: i64 = 30;

/// Whether `new` has to be written over what is stored.
pub fn is_due(
    stored: &BTreeMap<TargetId, Observation>,
    new: &BTreeMap<TargetId, Observation>,
    now: Timestamp,
) -> bool {
    let same_targets = stored.keys().eq(new.keys());
    !same_targets
        || stored
            .values()
            .zip(new.values())
            .any(|(stored, new)| differs(stored, new) || heartbeat_is_due(stored, now))
}

/// Whether it would be too old if it were left until the next run; or was never true, being from
/// the future.
fn heartbeat_is_due(stored: &Observation, now: Timestamp) -> bool {
    let age = now - stored.retrieved_at;
    age + TICK_SECONDS + JITTER_SECONDS > HEARTBEAT_SECONDS || age < -TICK_SECONDS
}

/// Whether anything but the time and the latency differs.
fn differs(stored: &Observation, new: &Observation) -> bool {
    let facts = |seen: &Observation| (seen.state, seen.reason, seen.online, seen.failures);
    let address = |seen: &Observation| (seen.host.clone(), seen.port);
    facts(stored) != facts(new)
        || address(stored) != address(new)
        || match (&stored.answer, &new.answer) {
            (Some(stored), Some(new)) => answer_differs(stored, new),
            (stored, new) => stored.is_some() != new.is_some(),
        }
}

fn answer_differs(stored: &Answer, new: &Answer) -> bool {
    stored.version != new.version
        || stored.motd != new.motd
        || stored.icon != new.icon
        || stored.software != new.software
        || match (&stored.players, &new.players) {
            (Some(stored), Some(new)) => players_differ(stored, new),
            (stored, new) => stored.is_some() != new.is_some(),
        }
}

/// Servers shuffle the list at each ping, and of many players they draw a few: only who is on a
/// whole list is news.
fn players_differ(stored: &Players, new: &Players) -> bool {
    let counts = |players: &Players| (players.online, players.max, players.list.len());
    if counts(stored) != counts(new) {
        return true;
    }
    let whole = new
        .online
        .is_none_or(|online| new.list.len() >= online as usize);
    whole && sorted(&stored.list) != sorted(&new.list)
}

fn sorted(list: &[Player]) -> Vec<(&Option<String>, &str)> {
    let mut sorted: Vec<_> = list
        .iter()
        .map(|player| (&player.uuid, player.name_raw.as_str()))
        .collect();
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests {
    use types::status::{Reason, State};

    use super::*;
    use crate::observe::tests::answered_at;

    fn one(seen: Observation) -> BTreeMap<TargetId, Observation> {
        [("main".parse().unwrap(), seen)].into()
    }

    /// Whether a change of the next minute's observation is written.
    fn written(change: impl FnOnce(&mut Observation)) -> bool {
        let mut new = answered_at(60);
        change(&mut new);
        is_due(&one(answered_at(0)), &one(new), Timestamp::from_seconds(60))
    }

    fn answer(seen: &mut Observation) -> &mut Answer {
        seen.answer.as_mut().unwrap()
    }

    fn players(seen: &mut Observation) -> &mut Players {
        answer(seen).players.as_mut().unwrap()
    }

    fn player(name: &str) -> Player {
        Player {
            uuid: None,
            name_raw: name.to_owned(),
            name_clean: name.to_owned(),
            name_html: name.to_owned(),
        }
    }

    #[test]
    fn time_and_latency_alone_are_not_written() {
        assert!(!written(|_| {}));
        assert!(!written(|seen| answer(seen).latency_ms.status = 900));
        assert!(!written(|seen| answer(seen).latency_ms.pong = None));
    }

    #[test]
    fn whatever_a_reader_would_learn_is_written() {
        assert!(written(|seen| seen.state = State::Degraded));
        assert!(written(|seen| seen.reason = Some(Reason::Slow)));
        assert!(written(|seen| seen.online = false));
        assert!(written(|seen| seen.failures = 1));
        assert!(written(|seen| seen.host = "other".to_owned()));
        assert!(written(|seen| seen.port = 1));
        assert!(written(|seen| seen.answer = None));
        assert!(written(|seen| answer(seen).version = None));
        assert!(written(|seen| answer(seen).motd.raw = "§aHello".to_owned()));
        assert!(written(|seen| answer(seen).icon = Some(String::new())));
        assert!(written(|seen| answer(seen).software = None));
        assert!(written(|seen| answer(seen).players = None));
        assert!(written(|seen| players(seen).online = Some(2)));
        assert!(written(|seen| players(seen).max = None));
        assert!(written(|seen| players(seen).list = vec![player("jeb_")]));
    }

    #[test]
    fn the_order_of_a_list_and_the_draw_of_an_excerpt_are_not_written() {
        let with = |online, names: [&str; 2], at| {
            let mut seen = answered_at(at);
            players(&mut seen).online = Some(online);
            players(&mut seen).list = names.map(player).into();
            one(seen)
        };
        let now = Timestamp::from_seconds(60);
        let due =
            |online, names| is_due(&with(online, ["a", "b"], 0), &with(online, names, 60), now);
        assert!(!due(2, ["b", "a"]));
        assert!(due(2, ["b", "c"]));
        assert!(!due(50, ["x", "y"]));
    }

    #[test]
    fn targets_that_come_or_go_are_written() {
        let mut two = one(answered_at(0));
        two.insert("survival".parse().unwrap(), answered_at(0));
        let now = Timestamp::from_seconds(60);
        assert!(is_due(&one(answered_at(0)), &two, now));
        assert!(is_due(&two, &one(answered_at(0)), now));
        assert!(is_due(&BTreeMap::new(), &one(answered_at(0)), now));
    }

    #[test]
    fn what_claims_to_be_from_the_future_is_replaced() {
        let now = Timestamp::from_seconds(0);
        let due = |ahead| is_due(&one(answered_at(ahead)), &one(answered_at(0)), now);
        assert!(!due(5));
        assert!(due(3600));
    }

    #[test]
    fn a_day_of_nothing_new_is_written_often_enough_and_no_more() {
        let mut stored = one(answered_at(0));
        let (mut writes, mut oldest) = (0, 0);
        for minute in 1..=24 * 60 {
            // The cron comes up to 20 seconds late.
            let seconds = minute * 60 + (minute * 7) % 21;
            let now = Timestamp::from_seconds(seconds);
            oldest = oldest.max(
                stored
                    .values()
                    .map(|seen| now - seen.retrieved_at)
                    .max()
                    .unwrap_or(0),
            );
            let new = one(answered_at(seconds));
            if is_due(&stored, &new, now) {
                stored = new;
                writes += 1;
            }
        }
        assert!(writes <= 480, "{writes}");
        assert!(oldest <= HEARTBEAT_SECONDS, "{oldest}");
    }
}
