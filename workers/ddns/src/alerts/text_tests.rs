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
