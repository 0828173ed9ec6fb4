//! Workers KV as typed entries: one value a key, as JSON.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use worker::{Env, KvStore};

use crate::Failure;

/// How long a data centre may answer from its own copy: the least that KV takes. Its default is
/// twice that.
const FRESH_SECONDS: u64 = 30;

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held<T> {
    /// Nothing, or nothing yet as seen from here.
    Missing,
    /// Something that is not the JSON of a `T`: what is wrong with it.
    Corrupt(String),
    /// The value, and the bytes that it was read from.
    Value { value: T, text: String },
}

/// One key of a namespace and the type of its value. Made in one place a worker, so that no key is
/// put together twice.
pub struct Entry<T> {
    store: KvStore,
    key: String,
    value: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Entry<T> {
    pub fn new(env: &Env, binding: &str, key: impl Into<String>) -> Result<Self, Failure> {
        Ok(Self {
            store: env.kv(binding)?,
            key: key.into(),
            value: PhantomData,
        })
    }

    /// Reads the value; the error is that of KV itself.
    pub async fn read(&self) -> Result<Held<T>, Failure> {
        Ok(match self.read_text().await? {
            None => Held::Missing,
            Some(text) => match serde_json::from_str(&text) {
                Ok(value) => Held::Value { value, text },
                Err(error) => Held::Corrupt(format!("KV {}: {error}", self.key)),
            },
        })
    }

    /// Writes the value and gives the bytes that were written.
    pub async fn write(&self, value: &T) -> Result<String, Failure> {
        let text =
            serde_json::to_string(value).map_err(|error| Failure::internal(error.to_string()))?;
        self.write_text(&text).await?;
        Ok(text)
    }

    /// Reads the value as it is, whatever it is.
    pub async fn read_text(&self) -> Result<Option<String>, Failure> {
        let text = self.store.get(&self.key).cache_ttl(FRESH_SECONDS).text();
        text.await.map_err(|error| self.failed(&error))
    }

    /// Writes a value that is text already.
    pub async fn write_text(&self, text: &str) -> Result<(), Failure> {
        let put = self.store.put(&self.key, text);
        let put = put.map_err(|error| self.failed(&error))?;
        put.execute().await.map_err(|error| self.failed(&error))
    }

    /// Deletes the key.
    pub async fn delete(&self) -> Result<(), Failure> {
        let deleted = self.store.delete(&self.key).await;
        deleted.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &worker::KvError) -> Failure {
        Failure::internal(format!("KV {}: {error}", self.key))
    }
}

/// The keys of a namespace that begin with `prefix`, page by page: KV lists a thousand at once.
pub async fn keys(env: &Env, binding: &str, prefix: &str) -> Result<Vec<String>, Failure> {
    let store = env.kv(binding)?;
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let mut list = store.list().prefix(prefix.to_owned());
        if let Some(cursor) = cursor {
            list = list.cursor(cursor);
        }
        let page = list.execute().await;
        let page = page.map_err(|error| Failure::internal(format!("KV {prefix}*: {error}")))?;
        keys.extend(page.keys.into_iter().map(|key| key.name));
        cursor = page.cursor.filter(|_| !page.list_complete);
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}
