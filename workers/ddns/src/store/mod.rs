//! The book of this worker in D1 (`OPS_DB`; `migrations/`). `book` is the port of updates, `log` what
//! operators read of it, `sql` the statements.

mod book;
mod log;
mod sql;

use edge::{Failure, d1};
use serde::{Serialize, de::DeserializeOwned};
use types::Timestamp;
use worker::Env;

pub use log::{Filter, LastReport};

const BINDING: &str = "OPS_DB";
/// This worker's row in `ticks`.
const TICKER: &str = "ddns";

/// D1, as this worker uses it.
pub struct Store(Env);

impl Store {
    pub fn new(env: &Env) -> Self {
        Self(env.clone())
    }

    /// Puts on record that the cron ran to its end.
    pub async fn tick(&self, now: Timestamp) -> Result<(), Failure> {
        self.one(sql::TICK, &now.to_string()).await.map(drop)
    }

    /// When the cron ran to its end last: the minute that it was due.
    pub async fn ticked_at(&self) -> Result<Option<Timestamp>, Failure> {
        let at = self.one(sql::LAST_TICK, TICKER).await?;
        at.map(|at| parsed(&format!("\"{at}\""))).transpose()
    }

    /// Runs one statement; gives `found` of its first row.
    async fn one(&self, sql: &str, text: &str) -> Result<Option<String>, Failure> {
        d1::run(&self.0, BINDING, sql, text).await.map_err(failed)
    }

    /// Runs statements in one transaction, all with the same parameter.
    async fn all(
        &self,
        statements: &[&str],
        parameter: &impl Serialize,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let text = json(parameter)?;
        let found = d1::transaction(&self.0, BINDING, statements, &text).await;
        found.map_err(failed)
    }
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal(error.to_string()))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::internal(format!("{BINDING}: {error}: {text}")))
}

fn list<T: DeserializeOwned>(found: Option<&Vec<String>>) -> Result<Vec<T>, Failure> {
    let found = found.into_iter().flatten();
    found.map(|text| parsed(text)).collect()
}

fn failed(failure: Failure) -> Failure {
    unavailable(failure.into_message())
}

/// What the database said, as a failure: one without tables is said by name, with the cure; all else
/// goes to the log as it is.
pub fn unavailable(words: String) -> Failure {
    let Some(cure) = d1::cure(&words, BINDING, "ddns") else {
        return Failure::internal(words);
    };
    edge::log::error(BINDING, &cure);
    Failure::new(types::Code::Unavailable, "the database is not set up yet")
}
