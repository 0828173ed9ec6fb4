//! `openapi.yaml` taken apart: each worker's part of the contract, as JSON.
//!
//! An operation belongs to the workers that its tags name. A worker's part has its operations, the
//! components that they use, whether through others or as security, and nothing else; the same file
//! gives the same bytes. Build scripts write it, workers serve it at `/openapi.json`.
//!
//! Spec: `OpenAPI` 3.1, YAML 1.2.

mod yaml;

use std::{
    collections::BTreeSet,
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// What a path item can have that is an operation.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];
const COMPONENTS: &str = "#/components/";

/// Why there is no part.
#[derive(Debug)]
pub enum Error {
    /// The file is no YAML, or holds what JSON cannot.
    Yaml(String),
    /// What the document lacks, or points to in vain.
    Document(String),
    Io(PathBuf, io::Error),
    /// A build script's variable is not set.
    Variable(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yaml(error) | Self::Document(error) => write!(f, "openapi.yaml: {error}"),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Variable(name) => write!(f, "{name} is not set: not in a build script?"),
        }
    }
}

impl std::error::Error for Error {}

/// For the build script of a crate in `workers/`: writes its part to `OUT_DIR/openapi.json`.
pub fn write_part() -> Result<(), Error> {
    let variable = |name: &'static str| env::var(name).map_err(|_| Error::Variable(name));
    let worker = variable("CARGO_PKG_NAME")?;
    let source = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../../openapi.yaml");
    let target = Path::new(&variable("OUT_DIR")?).join("openapi.json");
    println!("cargo::rerun-if-changed={}", source.display());
    let yaml = fs::read_to_string(&source).map_err(|error| Error::Io(source, error))?;
    let part = part(&yaml, &worker)?.to_string();
    fs::write(&target, part).map_err(|error| Error::Io(target, error))
}

/// A worker's part of the document.
pub fn part(yaml: &str, worker: &str) -> Result<Value, Error> {
    let document = yaml::read(yaml)?;
    let paths: Map<String, Value> = object(&document, "paths")?
        .iter()
        .filter_map(|(path, item)| Some((path.clone(), served(item, worker)?)))
        .collect();
    let paths = Value::Object(paths);
    let components = components(&document, &paths)?;
    let mut info = object(&document, "info")?.clone();
    info.insert("title".to_owned(), json!(format!("genkan: {worker}")));
    info.remove("description");
    let tags = document["tags"].as_array().into_iter().flatten();
    let tags: Vec<&Value> = tags.filter(|tag| tag["name"] == worker).collect();
    Ok(json!({
        "openapi": document["openapi"],
        "info": info,
        "servers": [{"url": "/"}],
        "tags": tags,
        "security": document["security"],
        "paths": paths,
        "components": components,
    }))
}

fn object<'a>(of: &'a Value, key: &str) -> Result<&'a Map<String, Value>, Error> {
    of[key]
        .as_object()
        .ok_or_else(|| Error::Document(format!("{key} is not an object")))
}

/// A path with the operations that a worker serves, each with its tag alone; `None` without any.
fn served(item: &Value, worker: &str) -> Option<Value> {
    let is_own = |operation: &Value| {
        let tags = operation["tags"].as_array();
        tags.is_some_and(|tags| tags.iter().any(|tag| tag == worker))
    };
    let mut item = item.as_object()?.clone();
    item.retain(|key, operation| !METHODS.contains(&key.as_str()) || is_own(operation));
    let mut any = false;
    for method in METHODS {
        if let Some(operation) = item.get_mut(method) {
            operation["tags"] = json!([worker]);
            any = true;
        }
    }
    any.then_some(Value::Object(item))
}

/// All components that these paths use, directly or through others.
fn components(document: &Value, paths: &Value) -> Result<Value, Error> {
    let mut found = BTreeSet::new();
    let mut open = used(paths);
    let mut components = json!({});
    while let Some(path) = open.pop_first() {
        if !found.insert(path.clone()) {
            continue;
        }
        let (kind, name) = &path;
        let component = &document["components"][kind][name];
        if component.is_null() {
            return Err(Error::Document(format!(
                "there is no {COMPONENTS}{kind}/{name}"
            )));
        }
        open.extend(used(component));
        components[kind][name] = component.clone();
    }
    Ok(components)
}

/// The components that a value names: kind and name of each.
fn used(value: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(values) => {
            for (key, value) in values {
                match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        let path = target
                            .strip_prefix(COMPONENTS)
                            .and_then(|path| path.split_once('/'));
                        // What points elsewhere is no component: the tests say that nothing does.
                        found.extend(path.map(|(kind, name)| (kind.to_owned(), name.to_owned())));
                    }
                    ("security", Value::Array(ways)) => {
                        let schemes = ways.iter().filter_map(Value::as_object).flat_map(Map::keys);
                        found.extend(
                            schemes.map(|scheme| ("securitySchemes".to_owned(), scheme.clone())),
                        );
                    }
                    _ => collect(value, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
