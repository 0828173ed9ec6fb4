//! The answers of a dyndns2 server: <https://help.dyn.com/remote-access-api/return-codes/>.
//!
//! One line a host in the order of the request; what concerns the whole request once. Clients
//! differ in whether they believe the HTTP status or the first word, so both always say the same.

use types::ddns::Addresses;

/// The word that a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Good,
    Nochg,
    /// The host is not configured here.
    Nohost,
    /// The host name is missing or malformed.
    Notfqdn,
    /// More hosts than one request may name.
    Numhost,
    /// The token is for other hosts.
    NotYours,
    /// None of the addresses can be used.
    Dnserr,
    Badauth,
    /// Too many updates, too many wrong passwords, or a host that goes to and fro.
    Abuse,
    /// The database or a provider that matters did not take it. Trying again helps.
    Failed,
}

impl Code {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Nochg => "nochg",
            Self::Nohost => "nohost",
            Self::Notfqdn => "notfqdn",
            Self::Numhost => "numhost",
            Self::NotYours => "!yours",
            Self::Dnserr => "dnserr",
            Self::Badauth => "badauth",
            Self::Abuse => "abuse",
            Self::Failed => "911",
        }
    }

    pub const fn succeeded(self) -> bool {
        matches!(self, Self::Good | Self::Nochg)
    }

    /// The HTTP status of an answer that has this line alone.
    const fn status(self) -> u16 {
        match self {
            Self::Good | Self::Nochg => 200,
            Self::Notfqdn | Self::Numhost | Self::Dnserr => 400,
            Self::Badauth => 401,
            Self::NotYours => 403,
            Self::Nohost => 404,
            Self::Abuse => 429,
            Self::Failed => 503,
        }
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The lines, without a line feed at the end.
    pub body: String,
}

impl Answer {
    /// One line a host: its code and, where that is a success, the addresses that it has been
    /// given. One host that succeeded makes it 200; otherwise one that is to be tried again makes
    /// it 503, and else the first line decides.
    pub fn of(lines: &[(Code, Addresses)]) -> Self {
        Self {
            status: status(&lines.iter().map(|(code, _)| *code).collect::<Vec<_>>()),
            body: lines.iter().map(line).collect::<Vec<_>>().join("\n"),
        }
    }

    /// What concerns the whole request.
    pub fn whole(code: Code) -> Self {
        Self::of(&[(code, Addresses::default())])
    }
}

/// The HTTP status of an answer that has these codes.
pub fn status(codes: &[Code]) -> u16 {
    let mut all = codes.iter();
    let succeeded = all.clone().find(|code| code.succeeded());
    let failed = all.clone().find(|code| **code == Code::Failed);
    let deciding = succeeded.or(failed).or_else(|| all.next());
    deciding.map_or(400, |code| code.status())
}

fn line((code, taken): &(Code, Addresses)) -> String {
    let word = code.as_str();
    if !code.succeeded() {
        return word.to_owned();
    }
    match (taken.ipv4, taken.ipv6) {
        (Some(v4), Some(v6)) => format!("{word} {v4},{v6}"),
        (Some(v4), None) => format!("{word} {v4}"),
        (None, Some(v6)) => format!("{word} {v6}"),
        (None, None) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(codes: &[Code]) -> (u16, String) {
        let taken = Addresses {
            ipv4: "8.8.8.8".parse().ok(),
            ipv6: "2001:4860:4860::8888".parse().ok(),
        };
        let lines: Vec<_> = codes.iter().map(|code| (*code, taken)).collect();
        let answer = Answer::of(&lines);
        (answer.status, answer.body)
    }

    #[test]
    fn success_echoes_what_was_taken() {
        let both = "good 8.8.8.8,2001:4860:4860::8888";
        assert_eq!(answer(&[Code::Good]), (200, both.to_owned()));
        for (v4, v6, line) in [
            (Some("8.8.8.8"), None, "nochg 8.8.8.8"),
            (None, Some("2001:200::1"), "nochg 2001:200::1"),
        ] {
            let taken = Addresses {
                ipv4: v4.and_then(|v4| v4.parse().ok()),
                ipv6: v6.and_then(|v6| v6.parse().ok()),
            };
            assert_eq!(Answer::of(&[(Code::Nochg, taken)]).body, line);
        }
    }

    #[test]
    fn one_success_makes_the_whole_answer_one_and_each_host_has_its_line() {
        let (status, body) = answer(&[Code::Nohost, Code::Nochg, Code::NotYours]);
        assert_eq!(status, 200);
        let words: Vec<_> = body.lines().map(|line| line.split(' ').next()).collect();
        assert_eq!(words, [Some("nohost"), Some("nochg"), Some("!yours")]);
    }

    #[test]
    fn each_host_is_echoed_its_own_address() {
        let v6 = |text: &str| Addresses {
            ipv4: None,
            ipv6: text.parse().ok(),
        };
        let answer = Answer::of(&[
            (Code::Good, v6("2001:200::1")),
            (Code::Nochg, v6("2001:200::2")),
            (Code::Failed, v6("2001:200::3")),
        ]);
        assert_eq!(answer.body, "good 2001:200::1\nnochg 2001:200::2\n911");
        assert_eq!(answer.status, 200);
    }

    #[test]
    fn without_a_success_the_status_is_an_error() {
        for (codes, status) in [
            (&[Code::Nohost][..], 404),
            (&[Code::Notfqdn, Code::Nohost], 400),
            (&[Code::NotYours], 403),
            (&[Code::Dnserr, Code::Dnserr], 400),
            (&[Code::Numhost], 400),
            (&[Code::Badauth], 401),
            (&[Code::Abuse], 429),
            (&[Code::Failed], 503),
            (&[Code::Nohost, Code::Failed], 503),
            (&[], 400),
        ] {
            assert_eq!(answer(codes).0, status, "{codes:?}");
        }
    }

    /// inadyn's `custom` provider looks for these anywhere in the body.
    #[test]
    fn no_error_contains_what_a_client_takes_for_success() {
        for code in [
            Code::Nohost,
            Code::Notfqdn,
            Code::Numhost,
            Code::NotYours,
            Code::Dnserr,
            Code::Badauth,
            Code::Abuse,
            Code::Failed,
        ] {
            for success in ["ok", "good", "true", "updated", "success", "nochg"] {
                assert!(!code.as_str().contains(success), "{code:?}");
            }
        }
    }
}
