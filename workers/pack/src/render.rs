//! What a channel points to, in the formats of those who send the pack to players: `?format=` of
//! `GET /api/pack/latest`.
//!
//! | Format | Read by | What it says |
//! |---|---|---|
//! | `json` | this API's clients | the record as it is stored |
//! | `text` | scripts | SHA-1, URL and UUID, a line each |
//! | `properties` | Minecraft's `server.properties` (`java.util.Properties`) | the pack's five keys, in ASCII |
//! | `env` | itzg/docker-minecraft-server, as an env-file | the image's five variables, literal |
//! | `resourcepacksplugins` | Phoenix616/ResourcepacksPlugins, `config.yml` | the entry below `packs` |
//! | `forcepack` | SamB440/ForcePack for Velocity, `config.toml` | the table `global-pack` |
//!
//! Each of them is a handful of scalar lines, so they are written here and not by a serializer: the
//! `toml` crate alone would add 11 KB to the worker (gzipped). YAML's double-quoted scalars and
//! TOML's basic strings share their escapes, so one function quotes for both.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use edge::reply;
use minecraft::text::Text;
use serde_json::Value;
use types::pack::Record;

const YAML: &str = "application/yaml";
const TOML: &str = "application/toml";

/// A value of `?format=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Text,
    Properties,
    Env,
    ResourcepacksPlugins,
    ForcePack,
}

impl Format {
    const ALL: [Self; 6] = [
        Self::Json,
        Self::Text,
        Self::Properties,
        Self::Env,
        Self::ResourcepacksPlugins,
        Self::ForcePack,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Properties => "properties",
            Self::Env => "env",
            Self::ResourcepacksPlugins => "resourcepacksplugins",
            Self::ForcePack => "forcepack",
        }
    }
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Format::ALL.map(Format::as_str).join(", ");
        write!(f, "{:?} is none of {known}", self.0)
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| UnknownFormat(text.chars().take(60).collect()))
    }
}

/// A body and its media type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub content_type: &'static str,
    pub body: String,
}

/// Writes a record in a format.
pub fn render(record: &Record, format: Format) -> Result<Rendered, serde_json::Error> {
    let (content_type, body) = match format {
        Format::Json => (reply::JSON, serde_json::to_string(record)?),
        Format::Text => (reply::TEXT, text(record)),
        Format::Properties => (reply::TEXT, properties(record)),
        Format::Env => (reply::TEXT, env(record)),
        Format::ResourcepacksPlugins => (YAML, resourcepacks_plugins(record)),
        Format::ForcePack => (TOML, force_pack(record)),
    };
    Ok(Rendered { content_type, body })
}

fn text(record: &Record) -> String {
    format!("{}\n{}\n{}\n", record.sha1, record.url, record.uuid)
}

/// The prompt as component JSON, or nothing: what the game takes for no prompt.
fn component(record: &Record) -> String {
    record
        .prompt
        .as_ref()
        .map(Value::to_string)
        .unwrap_or_default()
}

fn properties(record: &Record) -> String {
    let lines = [
        ("resource-pack", record.url.clone()),
        ("resource-pack-sha1", record.sha1.to_string()),
        ("resource-pack-id", record.uuid.to_string()),
        ("require-resource-pack", record.required.to_string()),
        ("resource-pack-prompt", component(record)),
    ];
    let lines = lines.map(|(key, value)| format!("{key}={}\n", property(&value)));
    lines.concat()
}

/// A value as `java.util.Properties.store` writes it: ASCII, the rest in UTF-16 units.
fn property(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' ' if at == 0 => out.push_str("\\ "),
            '\\' | ':' | '=' | '#' | '!' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    escape(&mut out, u32::from(*unit));
                }
            }
        }
    }
    out
}

/// Lines that `docker run --env-file` takes as they are: nothing is quoted or unescaped there.
fn env(record: &Record) -> String {
    let enforce = if record.required { "TRUE" } else { "FALSE" };
    let lines = [
        ("", record.url.clone()),
        ("_SHA1", record.sha1.to_string()),
        ("_ID", record.uuid.to_string()),
        ("_ENFORCE", enforce.to_owned()),
        ("_PROMPT", env_component(&component(record))),
    ];
    let lines = lines.map(|(suffix, value)| {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        format!("RESOURCE_PACK{suffix}={value}\n")
    });
    lines.concat()
}

/// The same JSON, safe on its way through readers of env-files and through the image.
///
/// Compose and others begin a comment at `#`, and some readers a line at U+0085 or U+2028. The
/// image itself decodes `\uXXXX` wherever it sees one before it writes `server.properties`, also
/// behind an escaped backslash: the `u` is written as an escape there, which ends well in both.
///
/// `$` stays as it is: `docker run` takes it literally, and the image fails on its escape. Compose
/// expands it, unless the file is declared with `format: raw`.
fn env_component(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                out.push('\\');
                let escaped = characters.next();
                out.extend(escaped);
                if escaped == Some('\\') && characters.next_if_eq(&'u').is_some() {
                    escape(&mut out, u32::from('u'));
                }
            }
            '#' => escape(&mut out, u32::from('#')),
            other if breaks(other) => escape(&mut out, u32::from(other)),
            other => out.push(other),
        }
    }
    out
}

/// An entry of the proxy plugin's packs. Its `format` is the lowest that a client must have, and
/// it has neither a highest one nor a prompt.
fn resourcepacks_plugins(record: &Record) -> String {
    // A number is what its older versions read; newer ones take the minor behind a dot, as text.
    let format = match record.formats.min.parse::<u32>() {
        Ok(major) => major.to_string(),
        Err(_) => quoted(&record.formats.min),
    };
    format!(
        "packs:\n  {}:\n    url: {}\n    hash: {}\n    uuid: {}\n    format: {format}\n",
        quoted(record.pack.as_str()),
        quoted(&record.url),
        quoted(&record.sha1.to_string()),
        quoted(&record.uuid.to_string()),
    )
}

/// What the plugin does when a player has not loaded the pack, one table each. It fails on a
/// missing table, and does not kick without a message.
const ACTIONS: [(&str, &str); 3] = [
    ("DECLINED", "This server needs its resource pack."),
    (
        "FAILED_DOWNLOAD",
        "The resource pack could not be downloaded. Please join again.",
    ),
    (
        "FAILED_RELOAD",
        "The resource pack could not be loaded. Please join again.",
    ),
];

/// The pack of all servers that have none of their own. It makes its own UUID of URL and hash.
fn force_pack(record: &Record) -> String {
    let mut out = format!(
        "[global-pack]\nenable = true\nurl = {}\nhash = {}\ngenerate-hash = false\nexclude = []\n",
        quoted(&record.url),
        quoted(&record.sha1.to_string()),
    );
    // The table must be there even without a prompt in it.
    out.push_str("\n[global-pack.resourcepack]\n");
    if let Some(prompt) = &record.prompt {
        let _ = writeln!(
            out,
            "prompt = {}",
            quoted(&Text::from_component(prompt).to_minimessage())
        );
    }
    for (status, message) in ACTIONS {
        let _ = write!(
            out,
            "\n[global-pack.actions.{status}]\nkick = {}\n",
            record.required
        );
        if record.required {
            let _ = writeln!(out, "message = {}", quoted(message));
        }
    }
    out
}

/// A double-quoted scalar of YAML 1.1 and 1.2, which is a basic string of TOML 1.0 too.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if breaks(other) => escape(&mut out, u32::from(other)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Characters that end a line somewhere, or that YAML or TOML do not want as they are.
fn breaks(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// `\uXXXX`, which Java properties, JSON, YAML and TOML have in common.
fn escape(out: &mut String, unit: u32) {
    // Writing to a string does not fail.
    let _ = write!(out, "\\u{unit:04x}");
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
