//! The descriptions (`OpenAPI` 3.1) of all workers as one: the paths, tags and components of each,
//! once.

use serde_json::{Map, Value, json};

use super::Part;

/// Below `info`, where the names of workers are that did not give their description.
const MISSING: &str = "x-missing";

/// The gateway's own description with what the workers say of theirs. What two of them describe, the
/// first to do so describes.
pub fn joined(own: &str, parts: &[Part]) -> Result<Value, serde_json::Error> {
    let mut whole: Map<String, Value> = serde_json::from_str(own)?;
    let mut missing = Vec::new();
    for part in parts {
        let said = part.text.as_deref().and_then(read);
        match said {
            Some(said) => add(&mut whole, said),
            None => missing.push(part.worker),
        }
    }
    if !missing.is_empty()
        && let Some(info) = whole.get_mut("info").and_then(Value::as_object_mut)
    {
        info.insert(MISSING.to_owned(), json!(missing));
    }
    Ok(Value::Object(whole))
}

/// A description, known by its paths.
fn read(text: &str) -> Option<Map<String, Value>> {
    let said: Map<String, Value> = serde_json::from_str(text).ok()?;
    said.get("paths")?.is_object().then_some(said)
}

fn add(whole: &mut Map<String, Value>, said: Map<String, Value>) {
    for (key, value) in said {
        match (key.as_str(), value) {
            // Of a path the methods, of components the kinds and then the names.
            ("paths" | "components", Value::Object(said)) => {
                let all = whole.entry(key).or_insert_with(|| json!({}));
                lay_under(all, said, 1);
            }
            ("tags", Value::Array(said)) => {
                let all = whole.entry(key).or_insert_with(|| json!([]));
                if let Value::Array(all) = all {
                    for tag in said {
                        if !all.iter().any(|known| known["name"] == tag["name"]) {
                            all.push(tag);
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// Adds what is not there yet, down to `levels` below.
fn lay_under(all: &mut Value, said: Map<String, Value>, levels: u8) {
    let Value::Object(all) = all else {
        return;
    };
    for (key, value) in said {
        match (all.get_mut(&key), value) {
            (None, value) => {
                all.insert(key, value);
            }
            (Some(known), Value::Object(said)) if levels > 0 => lay_under(known, said, levels - 1),
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r#"{"openapi":"3.1.0","info":{"title":"genkan","version":"1"},
        "tags":[{"name":"gateway"}],"paths":{"/metrics":{"get":{"summary":"of all"}}},
        "components":{"schemas":{"Problem":{"type":"object"}}}}"#;

    fn part(worker: &'static str, text: Option<&str>) -> Part {
        Part {
            worker,
            text: text.map(str::to_owned),
        }
    }

    #[test]
    fn paths_tags_and_components_of_all_are_there_once() {
        let pack = r#"{"openapi":"3.1.0","info":{"title":"pack"},"tags":[{"name":"pack"},{"name":"gateway","description":"x"}],
            "paths":{"/metrics":{"get":{"summary":"of pack"},"head":{}},"/api/packs":{"get":{"operationId":"packs"}}},
            "components":{"schemas":{"Problem":{"type":"string"},"Pack":{}},"responses":{"NotFound":{}}}}"#;
        let whole = joined(OWN, &[part("pack", Some(pack))]).unwrap();
        assert_eq!(
            whole,
            json!({
                "openapi": "3.1.0",
                "info": {"title": "genkan", "version": "1"},
                "tags": [{"name": "gateway"}, {"name": "pack"}],
                "paths": {
                    "/metrics": {"get": {"summary": "of all"}, "head": {}},
                    "/api/packs": {"get": {"operationId": "packs"}},
                },
                "components": {
                    "schemas": {"Problem": {"type": "object"}, "Pack": {}},
                    "responses": {"NotFound": {}},
                },
            })
        );
    }

    #[test]
    fn a_worker_that_gives_none_is_named_and_leaves_the_others() {
        let whole = joined(
            OWN,
            &[
                part("pack", None),
                part("status", Some(r#"{"paths":{"/icon":{}}}"#)),
                part("ddns", Some(r#"{"type":"about:blank","status":404}"#)),
                part("mine", Some("<html>")),
            ],
        );
        let whole = whole.unwrap();
        assert_eq!(whole["info"]["x-missing"], json!(["pack", "ddns", "mine"]));
        assert_eq!(whole["paths"]["/icon"], json!({}));
    }

    #[test]
    fn odd_shapes_change_nothing() {
        let odd = r#"{"paths":{"/metrics":7},"components":[],"tags":{},"info":1}"#;
        let whole = joined(OWN, &[part("pack", Some(odd))]).unwrap();
        assert_eq!(whole, serde_json::from_str::<Value>(OWN).unwrap());
    }
}
