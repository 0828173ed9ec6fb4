//! The `[vars]` of a worker, read once an instance.

use std::sync::OnceLock;

use js_sys::{JSON, Object, Reflect};
use serde_json::Value;
use types::{
    Code,
    config::{Config, SECRETS},
};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

use crate::{Failure, log};

/// A configuration that is parsed at the first use and kept: the environment of an instance does
/// not change.
pub struct Cached<T>(OnceLock<Result<T, String>>);

impl<T: Config> Cached<T> {
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The configuration, or 503 with the key that is wrong: an operator's mistake is said, never
    /// papered over with a default.
    pub fn get(&self, env: &Env) -> Result<&T, Failure> {
        let parsed = self.0.get_or_init(|| {
            let parsed =
                vars(env).and_then(|vars| T::parse(vars).map_err(|error| error.to_string()));
            parsed.inspect_err(|error| log::error("configuration", error))
        });
        parsed
            .as_ref()
            .map_err(|error| Failure::new(Code::Unavailable, format!("configuration: {error}")))
    }
}

impl<T: Config> Default for Cached<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// All that is data in the environment: what has no class of its own is a variable, what has one
/// is a binding.
fn vars(env: &Env) -> Result<Value, String> {
    let own = Object::new();
    for key in Object::keys(env.unchecked_ref::<Object>()).to_vec() {
        let value = Reflect::get(env, &key).unwrap_or(JsValue::UNDEFINED);
        let secret = key
            .as_string()
            .is_some_and(|name| SECRETS.contains(&name.as_str()));
        if !secret && is_data(&value) {
            Reflect::set(&own, &key, &value).map_err(|_| "unreadable environment".to_owned())?;
        }
    }
    let json = JSON::stringify(&own).map_err(|_| "unreadable environment".to_owned())?;
    serde_json::from_str(&String::from(json)).map_err(|error| error.to_string())
}

fn is_data(value: &JsValue) -> bool {
    match value.dyn_ref::<Object>() {
        None => !value.is_undefined(),
        Some(object) => {
            let class = String::from(object.constructor().name());
            class == "Object" || class == "Array"
        }
    }
}
