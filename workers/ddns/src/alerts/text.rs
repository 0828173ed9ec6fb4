//! The words of an alert, and how they stay words in each format.

use types::config::alerts::{AlertChannel, AlertEvent};

use super::Alert;

/// The longest text that is sent, in characters: Discord takes 4,096 in an embed, ntfy 4,096 bytes.
const MAX_TEXT: usize = 1000;

/// One line: `Website is down`.
pub fn title(alert: &Alert) -> String {
    use AlertEvent::{Acknowledged, Degraded, Down, Reminder, Up, Warning};
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

/// What a channel says: its template, or the reason, since when, and how long it lasted.
pub fn body(channel: &AlertChannel, alert: &Alert) -> String {
    let text = match &channel.template {
        Some(template) => fill(template, alert),
        None => plain(alert),
    };
    text.chars().take(MAX_TEXT).collect()
}

fn plain(alert: &Alert) -> String {
    let is_end = alert.event == AlertEvent::Up;
    let mut lines = Vec::new();
    match &alert.reason {
        Some(reason) => lines.push(reason.clone()),
        // What is up again has none, unless it is degraded.
        None if is_end => {}
        None => lines.push("no reason is known".to_owned()),
    }
    let tells_how_long = is_end || alert.event == AlertEvent::Reminder;
    let before = alert.previous.as_deref();
    let lasted = alert.lasted_seconds.filter(|_| tells_how_long);
    lines.push(match (lasted, before) {
        (Some(seconds), before) => {
            let state = before.unwrap_or("down");
            format!("{state} for {}\nsince {}", duration(seconds), alert.since)
        }
        (None, Some(before)) => format!("since {} (before: {before})", alert.since),
        (None, None) => format!("since {}", alert.since),
    });
    lines.join("\n")
}

/// In the two largest units that say something: `12 min`, `3 h 5 min`, `2 d`.
fn duration(seconds: i64) -> String {
    let minutes = seconds / 60;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    let units = match (days, hours, minutes) {
        (0, 0, 0) => return format!("{} s", seconds.max(0)),
        (0, ..) => [(hours, "h"), (minutes % 60, "min")],
        _ => [(days, "d"), (hours % 24, "h")],
    };
    let said = units.iter().filter(|(count, _)| *count > 0);
    let said: Vec<_> = said
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    said.join(" ")
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
        "lasted" => alert
            .lasted_seconds
            .map_or_else(|| "-".to_owned(), duration),
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
