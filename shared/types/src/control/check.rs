//! Bounds of the control document: all that can be said without knowing the game's formats.

use std::fmt;

use serde_json::Value;

use super::{AutoEnd, Document, Maintenance, MotdSet, Settings};
use crate::TargetId;

/// The longest document, in bytes of JSON: what is read can be sent again in one small body.
pub const MAX_BYTES: usize = 60_000;
/// The lines that a server list shows.
pub const MAX_LINES: usize = 2;

const MAX_TARGETS: usize = 20;
const MAX_ENTRIES: usize = 32;
const MAX_ALLOWED: usize = 200;
/// In bytes. Gradients and links make a line long that is short to look at.
const MAX_LINE: usize = 1024;
const MAX_MESSAGE: usize = 2 * MAX_LINE;
const MAX_REASON: usize = 512;
const MAX_ICON: usize = 32 * 1024;
/// A poller cannot follow a faster turn, nor is a slower one a turn.
const ROTATE_SECONDS: std::ops::RangeInclusive<u32> = 5..=86_400;

/// What is wrong with a document, and where: `targets.lobby.motd.entries[0].lines[1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Empty for the whole.
    pub at: String,
    pub message: String,
}

impl Invalid {
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            message: message.into(),
        }
    }

    /// The same as part of something: `prefix` ends with a dot.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.at.insert_str(0, prefix);
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.as_str() {
            "" | "." => f.write_str(&self.message),
            at => write!(f, "{at}: {}", self.message),
        }
    }
}

impl Document {
    /// Reads the text of one, which was written by [`Document::to_text`].
    ///
    /// One way for all texts: a second parser of these types is 10 KB of a worker.
    pub fn from_text(text: &str) -> Result<Self, Invalid> {
        let value = serde_json::from_str(text)
            .map_err(|error| Invalid::new("", format!("is no JSON: {error}")))?;
        Self::read(value)
    }

    /// The text that is stored.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a document: its shape alone, [`Document::validate`] does the rest.
    pub fn read(value: Value) -> Result<Self, Invalid> {
        is_object(&value, "")?;
        objects(&value, "")?;
        let targets = value.get("targets").and_then(Value::as_object);
        for (id, overrides) in targets.into_iter().flatten() {
            is_object(overrides, &format!("targets.{id}"))?;
            objects(overrides, &format!("targets.{id}."))?;
        }
        serde_path_to_error::deserialize(value)
            .map_err(|error| Invalid::new(error.path().to_string(), error.inner().to_string()))
    }

    /// Checks everything but whether texts and icons are what the game understands, which `texts`
    /// says of one set of settings. The place of a target's error begins with `targets.<id>.`.
    pub fn validate(
        &self,
        texts: impl Fn(&Settings) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        let length = self.to_text().len();
        if length > MAX_BYTES {
            let message = format!("the document has {length} bytes; {MAX_BYTES} are the most");
            return Err(Invalid::new("", message));
        }
        at_most("targets", MAX_TARGETS, self.targets.len())?;
        let general = Settings {
            maintenance: self.maintenance.clone(),
            motd: self.motd.clone(),
            icon: self.icon.clone(),
        };
        general.check().and_then(|()| texts(&general))?;
        for target in self.targets.keys() {
            let settings = self.settings(target);
            let checked = settings.check().and_then(|()| texts(&settings));
            checked.map_err(|error| error.within(&format!("targets.{target}.")))?;
        }
        Ok(())
    }

    /// Whether two documents differ where nothing is overridden, and the targets in whose overrides.
    pub fn differences<'a>(&'a self, other: &'a Self) -> (bool, Vec<&'a TargetId>) {
        let differs = |id: &&TargetId| self.targets.get(*id) != other.targets.get(*id);
        let gone = self.targets.keys();
        let new = other
            .targets
            .keys()
            .filter(|id| !self.targets.contains_key(*id));
        let targets = gone.chain(new).filter(differs).collect();
        (self.general() != other.general(), targets)
    }
}

/// Checks that settings are made of objects: serde would take a list of their values too.
fn objects(settings: &Value, prefix: &str) -> Result<(), Invalid> {
    for key in ["maintenance", "motd"] {
        if let Some(value) = settings.get(key) {
            is_object(value, &format!("{prefix}{key}"))?;
        }
    }
    let entries = settings.pointer("/motd/entries").and_then(Value::as_array);
    for (index, entry) in entries.into_iter().flatten().enumerate() {
        is_object(entry, &format!("{prefix}motd.entries[{index}]"))?;
    }
    Ok(())
}

fn is_object(value: &Value, at: &str) -> Result<(), Invalid> {
    if value.is_object() {
        return Ok(());
    }
    Err(Invalid::new(at, "must be an object"))
}

impl Settings {
    fn check(&self) -> Result<(), Invalid> {
        maintenance(&self.maintenance).map_err(|error| error.within("maintenance."))?;
        motd(&self.motd).map_err(|error| error.within("motd."))?;
        text("icon", self.icon.as_deref(), MAX_ICON)
    }
}

fn maintenance(maintenance: &Maintenance) -> Result<(), Invalid> {
    text("message", maintenance.message.as_deref(), MAX_MESSAGE)?;
    text("reason", maintenance.reason.as_deref(), MAX_REASON)?;
    let (starts_at, ends_at) = (maintenance.starts_at, maintenance.ends_at);
    if starts_at
        .zip(ends_at)
        .is_some_and(|(starts_at, ends_at)| ends_at <= starts_at)
    {
        return Err(Invalid::new("ends_at", "must be later than starts_at"));
    }
    if maintenance.auto_end != AutoEnd::Never && ends_at.is_none() {
        let message = "needs ends_at, the time from which maintenance may end";
        return Err(Invalid::new("auto_end", message));
    }
    at_most("allow", MAX_ALLOWED, maintenance.allow.len())?;
    for (index, player) in maintenance.allow.iter().enumerate() {
        if !is_player(player) {
            let message = "must be a player's name or UUID: 1 to 36 of A-Z, a-z, 0-9 and _ . * + -";
            return Err(Invalid::new(format!("allow[{index}]"), message));
        }
    }
    Ok(())
}

/// A name, also as Bedrock bridges make them with a prefix, or a UUID.
fn is_player(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.*+-".contains(&byte);
    (1..=36).contains(&text.len()) && text.bytes().all(inner)
}

fn motd(motd: &MotdSet) -> Result<(), Invalid> {
    if !ROTATE_SECONDS.contains(&motd.rotate_seconds) {
        let (least, most) = (ROTATE_SECONDS.start(), ROTATE_SECONDS.end());
        let message = format!("must be from {least} to {most}");
        return Err(Invalid::new("rotate_seconds", message));
    }
    at_most("entries", MAX_ENTRIES, motd.entries.len())?;
    for (index, entry) in motd.entries.iter().enumerate() {
        let at = format!("entries[{index}].lines");
        if !(1..=MAX_LINES).contains(&entry.lines.len()) {
            return Err(Invalid::new(at, "must be one line or two"));
        }
        for (line, content) in entry.lines.iter().enumerate() {
            text(&format!("{at}[{line}]"), Some(content), MAX_LINE)?;
        }
    }
    Ok(())
}

fn at_most(at: &str, most: usize, count: usize) -> Result<(), Invalid> {
    if count <= most {
        return Ok(());
    }
    let message = format!("there are {count}; {most} are the most");
    Err(Invalid::new(at, message))
}

/// Checks length and characters. A line feed is for whoever reads the text to judge.
fn text(at: &str, text: Option<&str>, most: usize) -> Result<(), Invalid> {
    let Some(text) = text else { return Ok(()) };
    if text.len() > most {
        let message = format!("has {} bytes; {most} are the most", text.len());
        return Err(Invalid::new(at, message));
    }
    match text
        .char_indices()
        .find(|(_, char)| char.is_control() && *char != '\n')
    {
        Some((index, char)) => {
            let index = text[..index].chars().count();
            let message = format!("character {index} is the control character {char:?}");
            Err(Invalid::new(at, message))
        }
        None => Ok(()),
    }
}
