//! Beats as they come in: the end of the path, and the body. Pure.
//!
//! ```text
//! /api/heartbeat/<id>          the work is done          {"size_bytes": 1048576, "log": "…"}
//! /api/heartbeat/<id>/start    it begins                 or any text: the end of it is kept
//! /api/heartbeat/<id>/fail     it failed
//! /api/heartbeat/<id>/<code>   it ended with this exit code
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::checks::Ending;

/// How much of a log is kept, in bytes.
pub const LOG_BYTES: usize = 10_000;
/// How much of a body is read: a JSON object must be whole, of a text the end will do.
pub const BODY_BYTES: u32 = 64 * 1024;
/// A body beyond this is refused.
pub const MOST_BYTES: u32 = 10_000_000;
const MOST_METRICS: usize = 32;
const METRIC_CHARS: usize = 64;
/// The longest run id.
pub const RID_CHARS: usize = 64;

/// What a beat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Start,
    End(Ending),
}

impl Signal {
    /// From the rest of the path after the id.
    pub fn from_path(rest: Option<&str>) -> Option<Self> {
        Some(match rest {
            None => Self::End(Ending::Success),
            Some("start") => Self::Start,
            Some("fail") => Self::End(Ending::Fail),
            Some(code) => {
                let digits = code.strip_prefix('-').unwrap_or(code);
                let is_code = (1..=10).contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_digit());
                Self::End(Ending::Exit(code.parse().ok().filter(|_| is_code)?))
            }
        })
    }

    /// As it is stored.
    pub fn name(self) -> String {
        match self {
            Self::Start => "start".to_owned(),
            Self::End(Ending::Success) => "success".to_owned(),
            Self::End(Ending::Fail) => "fail".to_owned(),
            Self::End(Ending::Exit(code)) => format!("exit {code}"),
        }
    }
}

/// What came with a beat.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// Numbers by name.
    pub metrics: BTreeMap<String, f64>,
    pub log: Option<String>,
    /// How many bytes of the log were cut off in front.
    pub log_bytes_cut: usize,
}

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It says that it is JSON and is not, or not an object.
    BadJson(String),
    /// It says that it is JSON, and is longer than what is read.
    TooLarge,
    TooManyMetrics,
}

/// Reads a body of which these are the last bytes, of so many in all. An object is taken for metrics
/// whatever the media type, since `curl -d` says it is a form; all else is a log.
pub fn read(bytes: &[u8], length: usize, says_json: bool) -> Result<Content, Refused> {
    let is_whole = length == bytes.len();
    if says_json && !is_whole {
        return Err(Refused::TooLarge);
    }
    let text = String::from_utf8_lossy(bytes);
    if text.trim().is_empty() {
        return Ok(Content::default());
    }
    if is_whole && (says_json || text.trim_start().starts_with('{')) {
        match serde_json::from_str::<Map<String, Value>>(&text) {
            Ok(object) => return of_object(object),
            Err(error) if says_json => return Err(Refused::BadJson(error.to_string())),
            Err(_) => {}
        }
    }
    let (log, cut) = end_of(&text);
    Ok(Content {
        log: Some(log),
        log_bytes_cut: cut + (length - bytes.len()),
        ..Content::default()
    })
}

/// Numbers are metrics, `log` is the log; other members may be there and are not looked at.
fn of_object(object: Map<String, Value>) -> Result<Content, Refused> {
    let mut content = Content::default();
    for (name, value) in object {
        match value {
            Value::String(text) if name == "log" => {
                let (log, cut) = end_of(&text);
                (content.log, content.log_bytes_cut) = (Some(log), cut);
            }
            Value::Number(number) => {
                if name.chars().count() > METRIC_CHARS || content.metrics.len() == MOST_METRICS {
                    return Err(Refused::TooManyMetrics);
                }
                let number = number.as_f64().filter(|number| number.is_finite());
                content.metrics.extend(number.map(|number| (name, number)));
            }
            _ => {}
        }
    }
    Ok(content)
}

/// The last bytes of a text, from where a character begins, and how many were cut off. NUL ends a
/// text for `SQLite`, so there is none.
fn end_of(text: &str) -> (String, usize) {
    let mut from = text.len().saturating_sub(LOG_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = text.get(from..).unwrap_or_default();
    (end.replace('\0', "\u{fffd}"), from)
}

/// The moment of a beat, in milliseconds: by the clock, put off by whole minutes when the cron's last
/// run was due later (`minute`, since the epoch), for whoever is judged by that clock beats by it. No
/// two beats of a service have the same.
pub fn moment(clock: i64, minute: i64, newest: Option<i64>) -> i64 {
    const MINUTE_MS: i64 = 60_000;
    let behind = (minute * MINUTE_MS - clock).max(0);
    let put_off = behind.div_euclid(MINUTE_MS) + i64::from(behind.rem_euclid(MINUTE_MS) > 0);
    let at = clock + put_off * MINUTE_MS;
    // A beat from far ahead, by a clock that was wrong, holds nobody up.
    let after = newest.filter(|newest| *newest - at < MINUTE_MS);
    after.map_or(at, |newest| at.max(newest + 1))
}

/// A duration that was reported, or that has passed since the start, in milliseconds.
pub fn duration_ms(content: &Content, started: Option<i64>, at: i64) -> Option<u64> {
    let reported = content.metrics.get("duration_ms").copied();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is beyond 2^53 ms is 2^53 ms"
    )]
    let reported = reported.map(|reported| reported.clamp(0.0, 9_007_199_254_740_992.0) as u64);
    reported.or_else(|| u64::try_from(at - started?).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_end_of_the_path_says_what_happened() {
        let signal = |rest| Signal::from_path(rest).map(Signal::name);
        assert_eq!(signal(None).as_deref(), Some("success"));
        assert_eq!(signal(Some("start")).as_deref(), Some("start"));
        assert_eq!(signal(Some("fail")).as_deref(), Some("fail"));
        assert_eq!(signal(Some("0")).as_deref(), Some("exit 0"));
        assert_eq!(signal(Some("137")).as_deref(), Some("exit 137"));
        assert_eq!(signal(Some("-1")).as_deref(), Some("exit -1"));
        for wrong in ["", "ok", "+1", "1.5", "0x1", "--1", "12345678901", "１"] {
            assert_eq!(signal(Some(wrong)), None, "{wrong}");
        }
    }

    fn content(text: &str, says_json: bool) -> Result<Content, Refused> {
        read(text.as_bytes(), text.len(), says_json)
    }

    #[test]
    fn an_object_is_metrics_and_all_else_a_log() {
        let body = r#"{"size_bytes":0,"memory_percent":12.5,"host":"nas","ok":true,"log":"done"}"#;
        for says_json in [true, false] {
            let content = content(body, says_json).unwrap();
            let metrics = [
                ("memory_percent".to_owned(), 12.5),
                ("size_bytes".to_owned(), 0.0),
            ];
            assert_eq!(content.metrics, BTreeMap::from(metrics));
            assert_eq!(content.log.as_deref(), Some("done"));
        }
        assert_eq!(content("", true), Ok(Content::default()));
        assert_eq!(content("  \n", false), Ok(Content::default()));
        let log = content("{not json", false).unwrap();
        assert_eq!(log.log.as_deref(), Some("{not json"));
        for wrong in ["{", "[1]", "1", r#""text""#, r#"{"a":1}x"#] {
            assert!(
                matches!(content(wrong, true), Err(Refused::BadJson(_))),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_long_log_is_cut_from_the_front_and_says_so() {
        let log = format!("{}end", "é".repeat(10_000));
        let content = content(&log, false).unwrap();
        let kept = content.log.unwrap();
        assert!(kept.ends_with("end") && kept.len() <= LOG_BYTES && kept.len() > LOG_BYTES - 4);
        assert_eq!(content.log_bytes_cut + kept.len(), log.len());
        let tail = &log.as_bytes()[5000..];
        let read = read(tail, log.len(), false).unwrap();
        assert_eq!(read.log_bytes_cut + read.log.unwrap().len(), log.len());
        assert_eq!(super::read(tail, log.len(), true), Err(Refused::TooLarge));
    }

    #[test]
    fn too_many_numbers_are_refused() {
        let many: Map<_, _> = (0..33).map(|n| (format!("m{n}"), n.into())).collect();
        let many = Value::Object(many).to_string();
        assert_eq!(content(&many, true), Err(Refused::TooManyMetrics));
        let long = format!("{{\"{}\":1}}", "n".repeat(65));
        assert_eq!(content(&long, false), Err(Refused::TooManyMetrics));
    }

    #[test]
    fn a_duration_is_the_reported_one_or_that_since_the_start() {
        let reported = content(r#"{"duration_ms":1500.9}"#, true).unwrap();
        assert_eq!(duration_ms(&reported, Some(0), 9000), Some(1500));
        let none = Content::default();
        assert_eq!(duration_ms(&none, Some(1000), 9000), Some(8000));
        assert_eq!(duration_ms(&none, Some(9001), 9000), None);
        assert_eq!(duration_ms(&none, None, 9000), None);
        let odd = content(r#"{"duration_ms":-5}"#, true).unwrap();
        assert_eq!(duration_ms(&odd, None, 0), Some(0));
    }

    #[test]
    fn a_beat_is_after_the_last_run_and_after_the_one_before() {
        assert_eq!(moment(600_500, 9, None), 600_500);
        assert_eq!(moment(600_500, 10, Some(600_400)), 600_500);
        assert_eq!(moment(600_500, 10, Some(600_500)), 600_501);
        // The cron is five minutes ahead: 10:00.5 is 15:00.5.
        assert_eq!(moment(600_500, 15, None), 900_500);
        assert_eq!(moment(600_000, 15, Some(900_700)), 900_701);
        assert_eq!(moment(600_500, 0, Some(9_000_000)), 600_500);
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused_and_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300), more in 0_usize..100, says_json: bool) {
            if let Ok(content) = read(&bytes, bytes.len() + more, says_json) {
                let log = content.log.unwrap_or_default();
                prop_assert!(log.len() <= 3 * LOG_BYTES && !log.contains('\0'));
                prop_assert!(content.metrics.values().all(|value| value.is_finite()));
            }
        }
    }
}
