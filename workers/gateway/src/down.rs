//! Whether an answer that came from an origin's address is the origin's at all, or a proxy's on the way
//! that found nobody there: then visitors get the gateway's own, in their language.
//!
//! Spec: Cloudflare, "5xx errors"; RFC 9110, sections 15.6.3 and 15.6.5.

/// What is wrong behind a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    Unreachable,
    /// Somebody on the way has waited in vain.
    Late,
}

/// What the head of an answer says, as far as it decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    pub status: u16,
    pub content_type: Option<&'a str>,
    pub content_length: Option<&'a str>,
}

/// Down, or `None` for an answer of the origin's own. 520 to 527 and 530 are Cloudflare's for a tunnel
/// that is down; when the tunnel lives and what is behind it does not, `cloudflared` answers 502 with a
/// page. An application that passes another's failure on says so for programs, in JSON or the like.
pub fn of(head: Head<'_>) -> Option<Down> {
    match head.status {
        522 | 524 => Some(Down::Late),
        520..=527 | 530 => Some(Down::Unreachable),
        504 if head.is_for_people() => Some(Down::Late),
        502 if head.is_for_people() => Some(Down::Unreachable),
        _ => None,
    }
}

impl Head<'_> {
    /// Whether a program can read nothing more of it than its status.
    fn is_for_people(&self) -> bool {
        let kind = self.content_type.unwrap_or("").split(';').next();
        let kind = kind.unwrap_or("").trim();
        let plain = ["", "text/html", "text/plain"];
        self.content_length == Some("0") || plain.iter().any(|own| own.eq_ignore_ascii_case(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_own_statuses_are_its_own_whatever_they_say() {
        let found = |status| {
            of(Head {
                status,
                content_type: Some("application/json"),
                ..Head::default()
            })
        };
        for status in [520, 521, 523, 525, 526, 527, 530] {
            assert_eq!(found(status), Some(Down::Unreachable), "{status}");
        }
        for status in [522, 524] {
            assert_eq!(found(status), Some(Down::Late), "{status}");
        }
        for status in [200, 304, 404, 500, 502, 503, 504, 528, 529, 599] {
            assert_eq!(found(status), None, "{status}");
        }
    }

    #[test]
    fn a_502_or_504_for_nobody_but_people_is_a_proxys() {
        for (content_type, content_length, down) in [
            (None, None, true),
            (None, Some("7"), true),
            (Some(""), None, true),
            (Some("text/html"), Some("7"), true),
            (Some("Text/HTML; charset=utf-8"), None, true),
            (Some("text/plain;x"), None, true),
            (Some("application/json"), Some("0"), true),
            (Some("application/json"), Some("7"), false),
            (Some("application/problem+json"), None, false),
            (Some("application/grpc"), None, false),
            (Some("text/event-stream"), None, false),
        ] {
            let found = |status| {
                of(Head {
                    status,
                    content_type,
                    content_length,
                })
            };
            let both = down.then_some((Down::Unreachable, Down::Late));
            assert_eq!(found(502).zip(found(504)), both, "{content_type:?}");
            assert_eq!((found(500), found(503)), (None, None));
        }
    }
}
