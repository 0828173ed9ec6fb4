//! How much is let through: updates of a token, wrong guesses of a client, a host that goes to and
//! fro.
//!
//! What a token updates is counted in D1, in the transaction that writes the update: it holds
//! over all instances and costs nothing of its own. Wrong guesses are counted in the memory of the
//! instance that they reach, since a row written for each of them would let anybody use up a day's
//! writes; but the client that guessed too often is named in D1, one row for 20 guesses, and every
//! update reads that anyway. So a guesser gets 20 guesses a minute of each instance it reaches, of
//! 2²⁵⁶, and once it is caught the right password does not help it anywhere.

use types::Timestamp;

/// How many updates a token has, in how many seconds.
pub const UPDATES: u32 = 30;
pub const UPDATES_SECONDS: i64 = 600;

/// How often a host may change to one and the same address within how many seconds. A line that
/// gets a new address each time is not stopped; two reporters that disagree, or a line that goes to
/// and fro, are: after A, B, A, B, A, B it stays at B for the rest of the hour.
pub const FLAPS: u32 = 5;
pub const FLAP_SECONDS: i64 = 3600;

/// How many wrong guesses a client has, in how many seconds, and for how long it is refused then.
const GUESSES: u32 = 20;
const GUESS_SECONDS: i64 = 60;

/// How many clients an instance remembers, and how many tokens.
const MOST: usize = 512;

/// What an instance remembers of those who ask too much.
#[derive(Debug, Default)]
pub struct Memory {
    guessers: Vec<Guesser>,
    /// Tokens and clients that are refused, and until when.
    refused: Vec<(String, Timestamp)>,
}

#[derive(Debug)]
struct Guesser {
    client: String,
    since: Timestamp,
    guesses: u32,
}

impl Memory {
    pub const fn new() -> Self {
        Self {
            guessers: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// In how many seconds this token or client may come again; `None` when it may now.
    pub fn held_back(&self, who: &str, now: Timestamp) -> Option<i64> {
        let mut refused = self.refused.iter();
        let (_, until) = refused.find(|(one, until)| one == who && *until > now)?;
        Some(*until - now)
    }

    /// Refuses a token or client until then.
    pub fn refuse(&mut self, who: &str, until: Timestamp, now: Timestamp) {
        self.refused
            .retain(|(one, until)| one != who && *until > now);
        push(&mut self.refused, (who.to_owned(), until));
    }

    /// Counts a wrong guess. When it is one too many, until when the client is refused.
    pub fn guessed(&mut self, client: &str, now: Timestamp) -> Option<Timestamp> {
        self.guessers
            .retain(|guesser| now - guesser.since < GUESS_SECONDS);
        let mut known = self.guessers.iter_mut();
        let Some(guesser) = known.find(|guesser| guesser.client == client) else {
            let guesser = Guesser {
                client: client.to_owned(),
                since: now,
                guesses: 1,
            };
            push(&mut self.guessers, guesser);
            return None;
        };
        guesser.guesses += 1;
        if guesser.guesses < GUESSES {
            return None;
        }
        guesser.guesses = 0;
        let until = now.plus_seconds(GUESS_SECONDS);
        self.refuse(client, until, now);
        Some(until)
    }
}

/// The oldest gives way.
fn push<T>(list: &mut Vec<T>, one: T) {
    if list.len() >= MOST {
        list.remove(0);
    }
    list.push(one);
}

/// What wrong guesses are counted by: an address, of IPv6 the network that one line has.
pub fn guesser(connecting: Option<std::net::IpAddr>) -> String {
    match connecting.map(|address| address.to_canonical()) {
        None => "unknown".to_owned(),
        Some(std::net::IpAddr::V4(address)) => address.to_string(),
        Some(std::net::IpAddr::V6(address)) => {
            let network = address.to_bits() & types::config::prefix_mask(64);
            std::net::Ipv6Addr::from_bits(network).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_255_200);

    #[test]
    fn twenty_guesses_in_a_minute_are_enough() {
        let mut memory = Memory::new();
        for guess in 1..20 {
            assert_eq!(memory.guessed("a", NOW), None, "{guess}");
        }
        assert_eq!(memory.guessed("b", NOW), None);
        let end = NOW.plus_seconds(60);
        assert_eq!(memory.guessed("a", NOW), Some(end));
        assert_eq!(memory.held_back("a", NOW.plus_seconds(1)), Some(59));
        assert_eq!(memory.held_back("b", NOW), None);
        assert_eq!(memory.held_back("a", end), None);
        assert_eq!(memory.guessed("a", end), None, "it begins anew");
    }

    #[test]
    fn guesses_that_are_spread_over_time_are_forgiven() {
        let mut memory = Memory::new();
        for guess in 0..200 {
            let now = NOW.plus_seconds(guess * 4);
            assert_eq!(memory.guessed("a", now), None, "{guess}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = Memory::new();
        for client in 0..10_000 {
            memory.guessed(&client.to_string(), NOW);
            memory.refuse(&client.to_string(), NOW.plus_seconds(60), NOW);
        }
        assert_eq!((memory.guessers.len(), memory.refused.len()), (MOST, MOST));
    }

    #[test]
    fn a_line_is_one_guesser_whatever_address_of_its_network_it_uses() {
        let of = |text: &str| guesser(text.parse().ok());
        assert_eq!(of("2001:4860:4860:1::1"), of("2001:4860:4860:1:ffff::2"));
        assert_ne!(of("2001:4860:4860:1::1"), of("2001:4860:4860:2::1"));
        assert_eq!(of("::ffff:8.8.8.8"), "8.8.8.8");
        assert_eq!(of(""), "unknown");
    }
}
