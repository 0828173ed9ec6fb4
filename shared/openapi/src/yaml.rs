//! YAML as JSON.

use serde_json::{Map, Number, Value};
use yaml_rust2::{Yaml, YamlLoader};

use crate::Error;

/// The one document of a text.
pub fn read(text: &str) -> Result<Value, Error> {
    let documents =
        YamlLoader::load_from_str(text).map_err(|error| Error::Yaml(error.to_string()))?;
    match documents.as_slice() {
        [document] => json(document),
        several => Err(Error::Yaml(format!("has {} documents", several.len()))),
    }
}

fn json(yaml: &Yaml) -> Result<Value, Error> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(value) => Value::Bool(*value),
        Yaml::Integer(value) => Value::from(*value),
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Real(text) => {
            let number = yaml.as_f64().and_then(Number::from_f64);
            let number =
                number.ok_or_else(|| Error::Yaml(format!("{text} is no number of JSON")))?;
            Value::Number(number)
        }
        Yaml::Array(values) => Value::Array(values.iter().map(json).collect::<Result<_, _>>()?),
        Yaml::Hash(values) => {
            let mut object = Map::new();
            for (key, value) in values {
                let Yaml::String(key) = key else {
                    return Err(Error::Yaml(format!(
                        "{key:?} is a key and no text: put it in quotes"
                    )));
                };
                object.insert(key.clone(), json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Alias(_) | Yaml::BadValue => {
            return Err(Error::Yaml("there is an alias to nothing".to_owned()));
        }
    })
}
