//! A badge that says what a server is.

use types::{
    badge::{BLUE, GREEN, GREY, RED, YELLOW},
    status::{State, Status},
};

/// What stands on the right, and its colour. Of a server that was never pinged nothing is known.
pub fn message(status: Option<&Status<'_>>) -> (String, &'static str) {
    let Some(status) = status else {
        return ("unknown".to_owned(), GREY);
    };
    match status.state {
        State::Online => (players(status), GREEN),
        State::Degraded if status.online => (players(status), YELLOW),
        State::Maintenance => ("maintenance".to_owned(), BLUE),
        State::Stale => ("stale".to_owned(), GREY),
        State::Offline => ("offline".to_owned(), RED),
        other => (other.as_str().to_owned(), YELLOW),
    }
}

/// `12/100`; a number that the server hides is left out.
fn players(status: &Status<'_>) -> String {
    let players = status.players;
    let online = players.and_then(|players| players.online);
    match (online, players.and_then(|players| players.max)) {
        (Some(online), Some(max)) => format!("{online}/{max}"),
        (Some(online), None) => online.to_string(),
        (None, _) => "online".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use types::{Timestamp, status::Observation};

    use super::*;
    use crate::{
        observe::tests::{answered_at, target},
        view,
    };

    fn shown(seen: &Observation, now: i64) -> (String, &'static str) {
        let target = target();
        message(Some(&view::status(
            &target.id,
            seen,
            Timestamp::from_seconds(now),
        )))
    }

    #[test]
    fn it_says_what_the_server_is() {
        let mut seen = answered_at(0);
        assert_eq!(shown(&seen, 0), ("1/20".to_owned(), GREEN));
        assert_eq!(shown(&seen, 301), ("stale".to_owned(), GREY));
        seen.state = State::Degraded;
        assert_eq!(shown(&seen, 0), ("1/20".to_owned(), YELLOW));
        seen.online = false;
        assert_eq!(shown(&seen, 0), ("degraded".to_owned(), YELLOW));
        seen.state = State::Starting;
        assert_eq!(shown(&seen, 0), ("starting".to_owned(), YELLOW));
        seen.state = State::Offline;
        assert_eq!(shown(&seen, 0), ("offline".to_owned(), RED));
        assert_eq!(message(None), ("unknown".to_owned(), GREY));
    }

    #[test]
    fn maintenance_is_said_whatever_the_server_is() {
        let (target, seen) = (target(), answered_at(0));
        let mut status = view::status(&target.id, &seen, Timestamp::from_seconds(0));
        status.state = State::Maintenance;
        assert_eq!(message(Some(&status)), ("maintenance".to_owned(), BLUE));
    }

    #[test]
    fn a_number_that_is_hidden_is_left_out() {
        let mut seen = answered_at(0);
        let players = |seen: &mut Observation, online, max| {
            let players = seen.answer.as_mut().unwrap().players.as_mut().unwrap();
            (players.online, players.max) = (online, max);
        };
        players(&mut seen, Some(3), None);
        assert_eq!(shown(&seen, 0).0, "3");
        players(&mut seen, None, Some(3));
        assert_eq!(shown(&seen, 0).0, "online");
        seen.answer.as_mut().unwrap().players = None;
        assert_eq!(shown(&seen, 0).0, "online");
    }
}
