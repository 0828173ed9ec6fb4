//! What is in force, as each consumer reads it.
//!
//! | `?format=` | For | Body |
//! |---|---|---|
//! | `json` | plugins | [`InForce`] |
//! | `minimessage` | scripts | the MOTD, `<newline>` between its lines |
//! | `legacy` | scripts, old plugins | the MOTD with `§` codes, a line each |
//! | `minimotd` | `MiniMOTD` 2 | its `main.conf`; HOCON is a superset of JSON, which this is |
//! | `maintenance` | the plugin Maintenance 4 | the keys of its `config.yml` that say the same; YAML is one too |
//!
//! `MiniMOTD` takes turns by itself and knows the players best: it gets every entry, with its own
//! placeholders for the counts.

use minecraft::text::Text;
use serde_json::{Value, json};
use types::{
    TargetId, Timestamp,
    control::{Document, InForce, Mode},
    status::Observation,
};

use super::{
    effective::{Effective, all_motds, effective},
    text,
};

/// The first protocol of clients that know RGB: Minecraft 1.16.
const RGB_SINCE: i32 = 735;
/// What `MiniMOTD` fills in, and characters without a meaning that stand for it until the text is
/// written.
const LIVE: [(&str, char, &str); 2] = [
    ("online", '\u{f0000}', "<online_players>"),
    ("max", '\u{f0001}', "<max_players>"),
];
/// The file, without its ending, that `MiniMOTD` looks for in its folder `icons`.
const ICON_NAME: &str = "genkan";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    MiniMessage,
    Legacy,
    MiniMotd,
    Maintenance,
}

impl Format {
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "" | "json" => Self::Json,
            "minimessage" => Self::MiniMessage,
            "legacy" => Self::Legacy,
            "minimotd" => Self::MiniMotd,
            "maintenance" => Self::Maintenance,
            _ => return None,
        })
    }
}

/// Whether clients of this protocol know sixteen colours alone.
pub fn is_old(protocol: i32) -> bool {
    protocol < RGB_SINCE
}

/// What is asked for, and what there is.
pub struct Asked<'a> {
    pub document: &'a Document,
    pub target: &'a TargetId,
    pub seen: Option<&'a Observation>,
    pub now: Timestamp,
    /// Of the client that it is rendered for.
    pub protocol: Option<i32>,
}

impl Asked<'_> {
    /// The body.
    pub fn render(&self, format: Format) -> serde_json::Result<String> {
        let settings = self.document.settings(self.target);
        let effective = effective(self.document, &settings, self.target, self.seen, self.now);
        let motd = effective.motd.as_ref().map(|motd| self.colored(motd));
        match format {
            Format::Json => serde_json::to_string(&self.in_force(&effective, motd.as_ref())),
            Format::MiniMessage => Ok(motd.map_or_else(String::new, |motd| motd.to_minimessage())),
            Format::Legacy => Ok(motd.map_or_else(String::new, |motd| motd.to_legacy())),
            Format::MiniMotd => serde_json::to_string_pretty(&self.minimotd(&effective)),
            Format::Maintenance => serde_json::to_string_pretty(&self.maintenance(&effective)),
        }
    }

    fn colored(&self, motd: &Text) -> Text {
        if self.protocol.is_some_and(is_old) {
            motd.downsampled()
        } else {
            motd.clone()
        }
    }

    fn in_force<'b>(&'b self, effective: &Effective<'b>, motd: Option<&Text>) -> InForce<'b> {
        let mut maintenance = effective.maintenance.clone();
        let message = effective.message.as_ref();
        maintenance.message = message.map(|message| self.colored(message).to_minimessage());
        InForce {
            revision: self.document.revision,
            target: self.target,
            mode: effective.mode,
            motd: motd.map(text::rendered),
            icon: effective.icon,
            maintenance,
            next_change_at: effective.next_change_at,
        }
    }

    fn minimotd(&self, effective: &Effective<'_>) -> Value {
        let live = |name: &str| {
            let (_, char, _) = LIVE.iter().find(|(known, ..)| *known == name)?;
            Some(char.to_string())
        };
        let settings = self.document.settings(self.target);
        let motds = all_motds(
            self.document,
            &settings,
            self.target,
            self.seen,
            self.now,
            &live,
        );
        let motds: Vec<Value> = motds
            .iter()
            .map(|motd| {
                let mut parts = lines(&self.colored(motd)).into_iter();
                let (first, second) = (parts.next(), parts.next().unwrap_or_default());
                json!({"line1": first, "line2": second, "icon": ICON_NAME})
            })
            .collect();
        json!({
            "motd-enabled": !motds.is_empty(),
            "motds": motds,
            "icon-enabled": effective.icon.is_some(),
            // Left out, it would show a maximum of its own.
            "player-count-settings": {"max-players-enabled": false},
        })
    }

    fn maintenance(&self, effective: &Effective<'_>) -> Value {
        let message = effective.message.as_ref();
        let messages: Vec<_> = message
            .map(|message| self.colored(message).to_minimessage())
            .into_iter()
            .collect();
        json!({
            "maintenance-enabled": effective.mode == Mode::Maintenance,
            "enable-pingmessages": !messages.is_empty(),
            "pingmessages": messages,
            "enable-timerspecific-messages": false,
        })
    }
}

/// Each line as `MiniMessage` of its own, with `MiniMOTD`'s placeholders.
fn lines(motd: &Text) -> Vec<String> {
    let mut lines = vec![Text::default()];
    for run in motd.runs() {
        for (index, part) in run.text().split('\n').enumerate() {
            if index > 0 {
                lines.push(Text::default());
            }
            if let Some(line) = lines.last_mut() {
                line.push(part, run.style());
            }
        }
    }
    let written = |line: &Text| {
        let text = line.to_minimessage();
        LIVE.iter()
            .fold(text, |text, (_, char, tag)| text.replace(*char, tag))
    };
    lines.iter().map(written).collect()
}

#[cfg(test)]
#[path = "formats_tests.rs"]
mod tests;
