//! Whether a server shows the MOTD that is set.

use minecraft::text::Text;
use types::{
    TargetId, Timestamp,
    control::{Document, Drift},
    status::Observation,
};

use super::effective::{all_motds, effective};

/// How long a proxy may take to follow, and a ping to see it.
const FOLLOW_SECONDS: i64 = 150;
/// Stands for whatever a placeholder stood for when the proxy filled it in.
const ANYTHING: char = '\u{fffc}';

/// Compares what is set for a target with what the last ping found.
pub fn drift(
    document: &Document,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
) -> Drift {
    let settings = document.settings(target);
    let observed = seen.and_then(|seen| seen.answer.as_ref());
    let observed = observed.map(|answer| answer.motd.clean.clone());
    let at = seen.map(|seen| seen.retrieved_at);
    let mode = |at| effective(document, &settings, target, seen, at).mode;
    let followed = |at: Timestamp| {
        let before = at.plus_seconds(-FOLLOW_SECONDS);
        document.updated_at.is_none_or(|changed| changed < before) && mode(at) == mode(before)
    };
    let anything = |_: &str| Some(ANYTHING.to_string());
    let patterns = at.map_or_else(Vec::new, |at| {
        all_motds(document, &settings, target, seen, at, &anything)
    });
    // What stays of a server that does not answer may be older than what is set.
    let answered = seen.is_some_and(|seen| seen.online);
    let drift = match (&observed, at) {
        (Some(observed), Some(at)) if answered && !patterns.is_empty() && followed(at) => {
            let shown = |pattern: &Text| matches(&pattern.to_plain(), observed);
            Some(!patterns.iter().any(shown))
        }
        _ => None,
    };
    let set = effective(document, &settings, target, seen, now).motd;
    Drift {
        target: target.clone(),
        set: set.map(|motd| motd.to_plain()),
        observed,
        observed_at: at,
        drift,
    }
}

/// Whether a text is what the pattern says, spaces and line feeds aside: servers centre lines.
fn matches(pattern: &str, text: &str) -> bool {
    let text = squeezed(text);
    let pattern = squeezed(pattern);
    let mut pieces = pattern.split(ANYTHING);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

fn squeezed(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observe::tests::answered_at;

    #[test]
    fn placeholders_and_spaces_match_anything() {
        let x = ANYTHING;
        let table = [
            ("Hello", "Hello", true),
            ("Hello", "  Hello \n", true),
            ("Hello\nworld", " Hello\n   world", true),
            ("Hello", "Hello!", false),
            (&*format!("{x}/{x} on"), "12/20 on", true),
            (&*format!("{x}/{x} on"), "12 of 20 on", false),
            (&*format!("a{x}a"), "a", false),
            (&*format!("{x}"), "", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn drift_is_told_once_a_ping_could_have_seen_the_change() {
        const T0: i64 = 1_795_255_200;
        let target: TargetId = "main".parse().unwrap();
        let document = |line: &str, changed: i64| {
            let mut document =
                Document::read(json!({"motd": {"entries": [{"lines": ["x"]}, {"lines": [line]}]}}))
                    .unwrap();
            document.updated_at = Some(Timestamp::from_seconds(changed));
            document
        };
        let seen = answered_at(T0); // its MOTD is "Hello"
        let told = |document: &Document, seen| {
            drift(document, &target, seen, Timestamp::from_seconds(T0)).drift
        };
        assert_eq!(told(&document("<gold>Hello", 0), Some(&seen)), Some(false));
        assert_eq!(
            told(&document("<gold><version>", 0), Some(&seen)),
            Some(false)
        );
        assert_eq!(told(&document("Other", 0), Some(&seen)), Some(true));
        assert_eq!(told(&document("Other", T0 - 60), Some(&seen)), None);
        assert_eq!(told(&document("Other", 0), None), None);
        assert_eq!(told(&Document::default(), Some(&seen)), None);
        let mut down = answered_at(T0);
        down.online = false;
        assert_eq!(told(&document("Other", 0), Some(&down)), None);
        let shown = drift(
            &document("Other", 0),
            &target,
            Some(&seen),
            Timestamp::from_seconds(T0),
        );
        assert_eq!(shown.observed.as_deref(), Some("Hello"));
        assert!(shown.set.is_some());
    }
}
