//! The words of an alert, and how they stay words in each format.

use types::config::alerts::AlertChannel;

use super::Alert;

/// The longest text that is sent, in characters: Discord takes 4,096 in an embed, ntfy 4,096 bytes.
const MAX_TEXT: usize = 1000;

/// One line: `Website is down`.
pub fn title(alert: &Alert) -> String {
    use types::config::alerts::AlertEvent::{Acknowledged, Degraded, Down, Reminder, Up, Warning};
    let name = &alert.name;
    let state = alert.state.as_deref().unwrap_or("down");
    match alert.event {
        Down => format!("{name} is down"),
        Degraded => format!("{name} is degraded"),
        Up => format!("{name} is up again"),
        Reminder => format!("{name} is still {state}"),
        Acknowledged => format!("{name}: acknowledged"),
        Warning => format!("{name}: warning"),
    }
}

/// What a channel says: its template, or the reason and since when.
pub fn body(channel: &AlertChannel, alert: &Alert) -> String {
    let text = if let Some(template) = &channel.template {
        fill(template, alert)
    } else {
        let reason = alert.reason.as_deref().unwrap_or("no reason is known");
        let before = match &alert.previous {
            Some(previous) => format!(" (before: {previous})"),
            None => String::new(),
        };
        format!("{reason}\nsince {}{before}", alert.since)
    };
    text.chars().take(MAX_TEXT).collect()
}

/// The template with every placeholder replaced. It was checked when the configuration was read;
/// nothing that is put in is looked at again.
fn fill(template: &str, alert: &Alert) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let doubled = ["{{", "}}"].iter().any(|pair| from.starts_with(pair));
        let end = from.find('}').filter(|_| !doubled);
        rest = if let Some(end) = end.filter(|end| *end > 0) {
            text.push_str(&value(&from[1..end], alert));
            &from[end + 1..]
        } else {
            text.push_str(&from[..1]);
            &from[if doubled { 2 } else { 1 }..]
        };
    }
    text + rest
}

/// What a placeholder (`types::config::alerts::PLACEHOLDERS`) stands for; what is not known is a
/// dash.
fn value(placeholder: &str, alert: &Alert) -> String {
    let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    match placeholder {
        "event" => alert.event.as_str().to_owned(),
        "service" => alert.service.clone(),
        "name" => alert.name.clone(),
        "group" => optional(&alert.group),
        "state" => optional(&alert.state),
        "previous" => optional(&alert.previous),
        "reason" => optional(&alert.reason),
        "since" => alert.since.to_string(),
        "at" => alert.at.to_string(),
        "incident" => optional(&alert.incident),
        _ => String::new(),
    }
}

/// Text as Discord shows it: every character that its Markdown, mentions, links and time stamps
/// begin with has a backslash before it ("Markdown Text 101", support.discord.com).
pub fn discord(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if r"\*_~`|>#-+[]()<@:.!".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Text as Slack shows it: its three control characters as entities ("Formatting text for app
/// surfaces", docs.slack.dev). Mentions and links begin with `<`.
pub fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// One line of printable characters, as a subject or a header can hold it.
pub fn line(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(150).collect()
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
