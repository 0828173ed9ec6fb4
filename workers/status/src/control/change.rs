//! What an operator's request makes of a document: pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use types::{
    TargetId, Timestamp,
    config::StatusConfig,
    control::{Document, Invalid},
};

use super::text;

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is no document: a wrong, missing or unknown key.
    Shape(Invalid),
    /// It is one whose content cannot stand.
    Content(Invalid),
}

/// The document that a body of PUT is. What the worker itself says in one is not looked at.
pub fn replaced(body: Value) -> Result<Document, Refused> {
    let Value::Object(mut body) = body else {
        return Err(Refused::Shape(Invalid::new("", "a document is an object")));
    };
    // Shown beside the document, and the worker's own memory.
    body.remove("problem");
    body.remove("warnings");
    body.remove("ended");
    let document = Document::read(Value::Object(body)).map_err(Refused::Shape)?;
    document.validate(text::check).map_err(Refused::Content)?;
    Ok(document)
}

/// The document that a merge patch (RFC 7396) makes of another.
pub fn patched(document: &Document, patch: &Value) -> Result<Document, Refused> {
    let Value::Object(patch) = patch else {
        return Err(Refused::Shape(Invalid::new("", "a patch is an object")));
    };
    let whole = serde_json::from_str(&document.to_text());
    let mut whole = whole.map_err(|error| Refused::Shape(Invalid::new("", error.to_string())))?;
    if let Value::Object(members) = &mut whole {
        merge(members, patch);
    }
    replaced(whole)
}

/// Merges a patch into an object (RFC 7396, section 2). Its depth is that of parsed JSON, 128.
fn merge(into: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, wish) in patch {
        match wish {
            Value::Null => {
                into.remove(key);
            }
            Value::Object(wish) => {
                let member = into.entry(key.clone()).or_insert(Value::Null);
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, wish);
                }
            }
            wish => {
                into.insert(key.clone(), wish.clone());
            }
        }
    }
}

/// `wanted` as the revision after `before`.
pub fn next(mut wanted: Document, before: &Document, by: &str, now: Timestamp) -> Document {
    wanted.revision = before.revision.saturating_add(1);
    wanted.updated_at = Some(now);
    wanted.updated_by = Some(by.to_owned());
    wanted.ended = still_ended(&wanted, before);
    wanted
}

/// What is over stays over while it is the same maintenance.
fn still_ended(wanted: &Document, before: &Document) -> BTreeMap<TargetId, Timestamp> {
    let mut ended = BTreeMap::new();
    for (target, ends_at) in before.ended.iter().chain(&wanted.ended) {
        let maintenance = wanted.settings(target).maintenance;
        if maintenance.enabled && maintenance.ends_at == Some(*ends_at) {
            ended.insert(target.clone(), *ends_at);
        }
    }
    ended
}

/// A target that a change newly names must be one that is configured. One that is gone from the
/// configuration may stay, so that everything else can still be changed.
pub fn known_targets(
    wanted: &Document,
    before: &Document,
    config: &StatusConfig,
) -> Result<(), Refused> {
    let newly = strangers(wanted, config).find(|(id, _)| !before.targets.contains_key(*id));
    newly.map_or(Ok(()), |(_, stranger)| Err(Refused::Content(stranger)))
}

/// The overrides that do nothing, since no configured target has that name: an edit by hand may have
/// them, a revision that is restored, or the target is gone.
pub fn strangers<'a>(
    document: &'a Document,
    config: &'a StatusConfig,
) -> impl Iterator<Item = (&'a TargetId, Invalid)> {
    let configured = |id: &TargetId| config.targets.iter().any(|target| target.id == *id);
    let ids = document.targets.keys().filter(move |id| !configured(id));
    ids.map(|id| {
        let names: Vec<_> = config
            .targets
            .iter()
            .map(|target| target.id.as_str())
            .collect();
        let message = format!("there is no such target; there are {}", names.join(", "));
        (id, Invalid::new(format!("targets.{id}"), message))
    })
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
