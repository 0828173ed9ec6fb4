//! What a reader would learn from an observation: latency is different each minute and no news.

use std::collections::BTreeMap;

use types::{
    TargetId,
    status::{Answer, Observation, Player, Players},
};

/// How much a reader would learn, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    Nothing,
    /// Who plays, what the server says.
    Detail,
    /// Whether a server is there.
    State,
}

/// What `new` says that `stored` does not.
pub fn between(
    stored: &BTreeMap<TargetId, Observation>,
    new: &BTreeMap<TargetId, Observation>,
) -> News {
    if !stored.keys().eq(new.keys()) {
        return News::State;
    }
    let targets = stored.values().zip(new.values());
    let news = targets.map(|(stored, new)| of_one(stored, new));
    news.max().unwrap_or(News::Nothing)
}

fn of_one(stored: &Observation, new: &Observation) -> News {
    let state = |seen: &Observation| (seen.state, seen.reason, seen.online, seen.answer.is_some());
    if state(stored) != state(new) {
        News::State
    } else if detail_differs(stored, new) {
        News::Detail
    } else {
        News::Nothing
    }
}

fn detail_differs(stored: &Observation, new: &Observation) -> bool {
    stored.failures != new.failures
        || (&stored.host, stored.port) != (&new.host, new.port)
        || (stored.ip_address, &stored.srv_record) != (new.ip_address, &new.srv_record)
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
    use types::status::{Reason, SrvRecord, State};

    use super::*;
    use crate::observe::tests::answered_at;

    fn one(seen: Observation) -> BTreeMap<TargetId, Observation> {
        [("main".parse().unwrap(), seen)].into()
    }

    /// What a change of the next minute's observation is.
    fn news(change: impl FnOnce(&mut Observation)) -> News {
        let mut new = answered_at(60);
        change(&mut new);
        between(&one(answered_at(0)), &one(new))
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
    fn time_and_latency_alone_are_no_news() {
        assert_eq!(news(|_| {}), News::Nothing);
        assert_eq!(
            news(|seen| answer(seen).latency_ms.status = 900),
            News::Nothing
        );
        assert_eq!(
            news(|seen| answer(seen).latency_ms.pong = None),
            News::Nothing
        );
    }

    #[test]
    fn whether_a_server_is_there_is_the_greatest_news() {
        assert_eq!(news(|seen| seen.state = State::Degraded), News::State);
        assert_eq!(news(|seen| seen.reason = Some(Reason::Slow)), News::State);
        assert_eq!(news(|seen| seen.online = false), News::State);
        assert_eq!(news(|seen| seen.answer = None), News::State);
        let both = news(|seen| {
            seen.state = State::Degraded;
            players(seen).online = Some(2);
        });
        assert_eq!(both, News::State);
    }

    #[test]
    fn whatever_else_a_reader_would_learn_is_a_detail() {
        let changes: [fn(&mut Observation); 15] = [
            |seen| seen.failures = 1,
            |seen| seen.host = "other".to_owned(),
            |seen| seen.port = 1,
            |seen| seen.ip_address = Some([192, 0, 2, 1].into()),
            |seen| {
                seen.srv_record = Some(SrvRecord {
                    host: "node".to_owned(),
                    port: 1,
                });
            },
            |seen| answer(seen).version = None,
            |seen| answer(seen).motd.raw = "§aHello".to_owned(),
            |seen| answer(seen).motd.html = String::new(),
            |seen| answer(seen).icon = Some(String::new()),
            |seen| answer(seen).software = None,
            |seen| answer(seen).players = None,
            |seen| players(seen).online = Some(2),
            |seen| players(seen).max = None,
            |seen| players(seen).list = vec![player("jeb_")],
            |seen| players(seen).list.clear(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert_eq!(news(change), News::Detail, "{index}");
        }
    }

    #[test]
    fn the_order_of_a_list_and_the_draw_of_an_excerpt_are_no_news() {
        let with = |online, names: [&str; 2]| {
            let mut seen = answered_at(0);
            players(&mut seen).online = Some(online);
            players(&mut seen).list = names.map(player).into();
            one(seen)
        };
        let news = |online, names| between(&with(online, ["a", "b"]), &with(online, names));
        assert_eq!(news(2, ["b", "a"]), News::Nothing);
        assert_eq!(news(2, ["b", "c"]), News::Detail);
        assert_eq!(news(50, ["x", "y"]), News::Nothing);
    }

    #[test]
    fn targets_that_come_or_go_are_news() {
        let mut two = one(answered_at(0));
        two.insert("survival".parse().unwrap(), answered_at(0));
        let at = |seconds| one(answered_at(seconds));
        assert_eq!(between(&at(0), &two), News::State);
        assert_eq!(between(&two, &at(0)), News::State);
        assert_eq!(between(&BTreeMap::new(), &at(0)), News::State);
        assert_eq!(between(&two, &two), News::Nothing);
    }
}
