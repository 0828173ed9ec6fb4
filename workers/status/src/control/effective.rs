//! What is in force for a target at a moment: schedule × document × last observation.
//!
//! | Maintenance is | when |
//! |---|---|
//! | off | `enabled` is false |
//! | announced | `starts_at` is still to come |
//! | active | from then on, or at once |
//! | over | `auto_end` is `at-end` and `ends_at` has come; or `when-healthy`, and a ping from then on found the server online. That one is latched in `ended`, so that a later failure does not bring it back |

use minecraft::text::{Style, Text};
use types::{
    TargetId, Timestamp,
    control::{AutoEnd, Document, MaintenanceInForce, Mode, Settings},
    status::{Observation, State},
};

use super::text;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The most characters of what a server says that a placeholder shows.
const MAX_VALUE: usize = 64;

/// What is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective<'a> {
    pub mode: Mode,
    /// `None`: the server's own stays. What was observed is not put here: a proxy would be told to
    /// say for ever what it once said.
    pub motd: Option<Text>,
    pub icon: Option<&'a str>,
    pub maintenance: MaintenanceInForce<'a>,
    /// The message with its placeholders filled in.
    pub message: Option<Text>,
    pub next_change_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Off,
    Announced { starts_at: Timestamp },
    Active { ends_at: Option<Timestamp> },
    Over,
}

/// What is in force for `target`, whose settings in `document` are `settings`.
pub fn effective<'a>(
    document: &Document,
    settings: &'a Settings,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
) -> Effective<'a> {
    let maintenance = &settings.maintenance;
    let phase = phase(document, settings, target, seen, now);
    let values = |name: &str| value(name, settings, phase, target, seen, now);
    let active = matches!(phase, Phase::Active { .. });
    let shown = active || matches!(phase, Phase::Announced { .. });
    let message = maintenance
        .message
        .as_ref()
        .filter(|_| shown)
        .map(|message| text::read(message, &values).0);
    let (motd, turns_at) = match &message {
        Some(message) if active => (Some(message.clone()), None),
        _ => rotated(settings, now, &values),
    };
    let changes = [turns_at, phase.changes_at(now, maintenance.auto_end)];
    Effective {
        mode: if active {
            Mode::Maintenance
        } else {
            Mode::Normal
        },
        motd,
        icon: settings.icon.as_deref(),
        maintenance: if shown {
            MaintenanceInForce {
                active,
                message: message.as_ref().map(Text::to_minimessage),
                reason: maintenance.reason.as_deref(),
                starts_at: maintenance.starts_at,
                ends_at: maintenance.ends_at,
                allow: &maintenance.allow,
            }
        } else {
            MaintenanceInForce::default()
        },
        message,
        next_change_at: changes.into_iter().flatten().min(),
    }
}

/// A text with its placeholders as they are now.
pub fn filled(
    source: &str,
    document: &Document,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
) -> Text {
    let settings = document.settings(target);
    let phase = phase(document, &settings, target, seen, now);
    text::read(source, &|name| {
        value(name, &settings, phase, target, seen, now)
    })
    .0
}

/// Every MOTD that may be shown in this mode, the live placeholders as `live` writes them: for those
/// who take turns by themselves, and to compare.
pub fn all_motds(
    document: &Document,
    settings: &Settings,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
    live: &dyn Fn(&str) -> Option<String>,
) -> Vec<Text> {
    let phase = phase(document, settings, target, seen, now);
    let values =
        |name: &str| live(name).or_else(|| value(name, settings, phase, target, seen, now));
    if let (Some(message), Phase::Active { .. }) = (&settings.maintenance.message, phase) {
        return vec![text::read(message, &values).0];
    }
    let entries = settings.motd.entries.iter();
    entries.map(|entry| joined(&entry.lines, &values)).collect()
}

/// Whether a target's maintenance ends with the next healthy ping, or has ended with the last one and
/// that is not latched.
fn awaits_health(document: &Document, target: &TargetId, now: Timestamp) -> bool {
    let maintenance = &document.settings(target).maintenance;
    maintenance.enabled
        && maintenance.auto_end == AutoEnd::WhenHealthy
        && maintenance.ends_at.is_some_and(|ends_at| ends_at <= now)
        && document.ended.get(target).copied() != maintenance.ends_at
}

/// Whether a healthy ping has just ended the maintenance, which is to be latched: its `ends_at`.
pub fn to_latch(
    document: &Document,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
) -> Option<Timestamp> {
    if !awaits_health(document, target, now) {
        return None;
    }
    let settings = document.settings(target);
    let is_over = phase(document, &settings, target, seen, now) == Phase::Over;
    settings.maintenance.ends_at.filter(|_| is_over)
}

fn phase(
    document: &Document,
    settings: &Settings,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
) -> Phase {
    let maintenance = &settings.maintenance;
    if !maintenance.enabled {
        return Phase::Off;
    }
    if let Some(starts_at) = maintenance.starts_at.filter(|at| now < *at) {
        return Phase::Announced { starts_at };
    }
    let over = maintenance.ends_at.is_some_and(|ends_at| {
        let healthy =
            || seen.is_some_and(|seen| seen.state == State::Online && seen.retrieved_at >= ends_at);
        now >= ends_at
            && match maintenance.auto_end {
                AutoEnd::Never => false,
                AutoEnd::AtEnd => true,
                AutoEnd::WhenHealthy => document.ended.get(target) == Some(&ends_at) || healthy(),
            }
    });
    if over {
        return Phase::Over;
    }
    Phase::Active {
        ends_at: maintenance.ends_at,
    }
}

impl Phase {
    /// When it is another one, or may be.
    fn changes_at(self, now: Timestamp, auto_end: AutoEnd) -> Option<Timestamp> {
        match self {
            Self::Announced { starts_at } => Some(starts_at),
            Self::Active { ends_at } if auto_end != AutoEnd::Never => {
                ends_at.filter(|ends_at| now < *ends_at)
            }
            _ => None,
        }
    }

    /// What there is a countdown to.
    fn counts_to(self) -> Option<Timestamp> {
        match self {
            Self::Announced { starts_at } => Some(starts_at),
            Self::Active { ends_at } => ends_at,
            Self::Off | Self::Over => None,
        }
    }
}

/// The entry whose turn it is, and when the next one's comes.
fn rotated(
    settings: &Settings,
    now: Timestamp,
    values: &dyn Fn(&str) -> Option<String>,
) -> (Option<Text>, Option<Timestamp>) {
    let set = &settings.motd;
    let count = i64::try_from(set.entries.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return (None, None);
    }
    let step = i64::from(set.rotate_seconds.max(1));
    let turn = now.as_seconds().div_euclid(step);
    let index = usize::try_from(turn.rem_euclid(count)).unwrap_or(0);
    let text = set
        .entries
        .get(index)
        .map(|entry| joined(&entry.lines, values));
    let next = Timestamp::from_seconds(turn.saturating_add(1).saturating_mul(step));
    (text, (count > 1).then_some(next))
}

/// The lines of an entry as one text.
fn joined(lines: &[String], values: &dyn Fn(&str) -> Option<String>) -> Text {
    let mut text = Text::default();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            text.push("\n", Style::default());
        }
        for run in text::read(line, values).0.runs() {
            text.push(run.text(), run.style());
        }
    }
    text
}

/// What a placeholder stands for; `?` for what is not known.
fn value(
    name: &str,
    settings: &Settings,
    phase: Phase,
    target: &TargetId,
    seen: Option<&Observation>,
    now: Timestamp,
) -> Option<String> {
    let answer = seen.and_then(|seen| seen.answer.as_ref());
    let players = answer.and_then(|answer| answer.players.as_ref());
    let maintenance = &settings.maintenance;
    let value = match name {
        "online" => players
            .and_then(|players| players.online)
            .map(|count| count.to_string()),
        "max" => players
            .and_then(|players| players.max)
            .map(|count| count.to_string()),
        "version" => answer
            .and_then(|answer| answer.version.as_ref())
            .map(|version| one_line(&version.name_clean)),
        "countdown" => phase.counts_to().map(|until| countdown(until - now)),
        "starts_at" => maintenance.starts_at.map(moment),
        "ends_at" => maintenance.ends_at.map(moment),
        "reason" => maintenance.reason.as_deref().map(one_line),
        "target" => Some(target.to_string()),
        _ => return None,
    };
    Some(value.unwrap_or_else(|| "?".to_owned()))
}

fn one_line(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control())
        .take(MAX_VALUE)
        .collect()
}

/// `2d 3h`, `3h 5m`, `5m`: minutes, rounded up, and none when the time has come.
fn countdown(seconds: i64) -> String {
    let left = seconds.max(0).saturating_add(MINUTE - 1) / MINUTE * MINUTE;
    let (days, hours, minutes) = (left / DAY, left % DAY / HOUR, left % HOUR / MINUTE);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// `2026-11-22 18:00 UTC`
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let minutes = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minutes.replace('T', " "))
}

#[cfg(test)]
#[path = "effective_tests.rs"]
mod tests;
