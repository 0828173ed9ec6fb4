use proptest::prelude::*;
use serde_json::json;
use types::config::alerts::AlertEvent;

use super::*;
use crate::alerts::tests::alert;

fn channel(template: Option<&str>) -> AlertChannel {
    let mut keys = json!({"name": "a", "kind": "ntfy", "topic": "x"});
    if let Some(template) = template {
        keys["template"] = json!(template);
    }
    serde_json::from_value(keys).unwrap()
}

#[test]
fn a_title_says_what_happened() {
    let titles: Vec<_> = AlertEvent::ALL
        .into_iter()
        .map(|event| title(&Alert { event, ..alert() }))
        .collect();
    assert_eq!(
        titles,
        [
            "Website is down",
            "Website is degraded",
            "Website is up again",
            "Website is still down",
            "Website: acknowledged",
            "Website: warning",
        ]
    );
}

#[test]
fn a_body_is_the_reason_or_what_the_template_says() {
    assert_eq!(
        body(&channel(None), &alert()),
        "status: answered 503\nsince 2026-11-21T09:59:00Z (before: up)"
    );
    let template =
        "{{{event}}} {service} {name} {group} {state} {previous} {reason} {since} {at} {incident}";
    assert_eq!(
        body(&channel(Some(template)), &alert()),
        "{down} web Website home down up status: answered 503 2026-11-21T09:59:00Z 2026-11-21T10:00:00Z 7"
    );
    let little = Alert {
        group: None,
        incident: None,
        ..alert()
    };
    assert_eq!(body(&channel(Some("{group}/{incident}")), &little), "-/-");
}

#[test]
fn what_is_up_again_says_how_long_it_was_not_and_what_is_still_down_for_how_long() {
    let up = Alert {
        event: AlertEvent::Up,
        state: Some("up".to_owned()),
        previous: Some("down".to_owned()),
        lasted_seconds: Some(725),
        reason: None,
        ..alert()
    };
    let since = "since 2026-11-21T09:59:00Z";
    assert_eq!(
        body(&channel(None), &up),
        format!("down for 12 min\n{since}")
    );
    let slow = Alert {
        reason: Some("slow: took 1800 ms".to_owned()),
        ..up.clone()
    };
    assert_eq!(
        body(&channel(None), &slow),
        format!("slow: took 1800 ms\ndown for 12 min\n{since}")
    );
    let reminder = Alert {
        event: AlertEvent::Reminder,
        previous: None,
        lasted_seconds: Some(3600),
        ..alert()
    };
    assert_eq!(
        body(&channel(None), &reminder),
        format!("status: answered 503\ndown for 1 h\n{since}")
    );
    assert_eq!(body(&channel(Some("{lasted}")), &up), "12 min");
    assert_eq!(body(&channel(Some("{lasted}")), &alert()), "-");
    // As it was stored by a version that did not say how long.
    let old = Alert {
        lasted_seconds: None,
        ..up
    };
    assert_eq!(
        body(&channel(None), &old),
        format!("{since} (before: down)")
    );
}

#[test]
fn a_duration_has_two_units_at_most() {
    for (seconds, words) in [
        (-5, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (90_059, "1 d 1 h"),
    ] {
        assert_eq!(duration(seconds), words);
    }
}

#[test]
fn what_is_put_into_a_template_is_not_looked_at_again() {
    let sly = Alert {
        name: "{reason} }} {{".to_owned(),
        ..alert()
    };
    assert_eq!(body(&channel(Some("<{name}>")), &sly), "<{reason} }} {{>");
}

#[test]
fn discord_shows_text_as_it_is() {
    assert_eq!(
        discord("@everyone <@1> [x](https://x) `a` # b"),
        r"\@everyone \<\@1\> \[x\]\(https\://x\) \`a\` \# b"
    );
}

#[test]
fn slack_shows_text_as_it_is() {
    assert_eq!(
        slack("<!channel> & <@U1>"),
        "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    );
}

/// What Discord makes of it: a backslash is taken away from before punctuation.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

proptest! {
    #[test]
    fn escaping_keeps_the_text_and_leaves_nothing_that_formats(text: String) {
        let escaped = discord(&text);
        prop_assert_eq!(unescaped(&escaped), text.clone());
        let mut before = None;
        let mut is_escaped = false;
        for c in escaped.chars() {
            let was_escaped = before == Some('\\') && !is_escaped;
            prop_assert!(was_escaped || !"*_~`|>[]<@#".contains(c), "{}", escaped);
            is_escaped = was_escaped;
            before = Some(c);
        }
        let escaped = slack(&text);
        prop_assert!(!escaped.contains(['<', '>']));
        let back = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        prop_assert_eq!(back, text);
    }

    #[test]
    fn any_template_that_is_configured_is_filled(template in "[a-z{} ]{1,20}", name: String) {
        let keys = json!({"name": "a", "kind": "ntfy", "topic": "x", "template": template});
        if let Ok(channel) = serde_json::from_value::<AlertChannel>(keys) {
            let filled = body(&channel, &Alert { name, ..alert() });
            prop_assert!(filled.chars().count() <= MAX_TEXT);
        }
    }

    #[test]
    fn a_line_is_one_line(text: String) {
        let line = line(&text);
        prop_assert!(!line.chars().any(char::is_control) && line.chars().count() <= 150);
    }
}
