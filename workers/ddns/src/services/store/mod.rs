//! The tables of D1 (`OPS_DB`) that services have (`migrations/0003_services.sql`).
//!
//! Rows cross as one JSON text a statement, which `SQLite` reads and writes itself. Every query gives
//! one row with one column, `found`.

pub mod beats;
pub mod history;
pub mod hosts;
pub mod incidents;
pub mod receivers;
pub mod run;
pub mod silences;

use edge::{Failure, d1};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::{D1Database, D1PreparedStatement, D1Result, Env};

use crate::store::unavailable;

const BINDING: &str = "OPS_DB";

/// D1, as services use it.
pub struct Store(pub D1Database);

/// What a query gives.
#[derive(Deserialize)]
struct Found {
    found: Option<String>,
}

impl Store {
    pub fn new(env: &Env) -> Result<Self, Failure> {
        env.d1(BINDING).map(Self).map_err(|error| failed(&error))
    }

    /// A statement with its parameters; all of them are text.
    fn statement(&self, sql: &str, values: &[&str]) -> Result<D1PreparedStatement, Failure> {
        let values: Vec<_> = values.iter().copied().map(Some).collect();
        d1::statement(&self.0, sql, &values).map_err(|error| failed(&error))
    }

    /// Runs all of them in one transaction, or none; gives what each found.
    async fn batch(
        &self,
        statements: Vec<D1PreparedStatement>,
    ) -> Result<Vec<Option<String>>, Failure> {
        let results = self.0.batch(statements).await;
        let results = results.map_err(|error| failed(&error))?;
        results.iter().map(found).collect()
    }

    /// Runs one.
    async fn run(&self, sql: &str, values: &[&str]) -> Result<Option<String>, Failure> {
        let result = self.statement(sql, values)?.run().await;
        found(&result.map_err(|error| failed(&error))?)
    }

    /// Runs a query that gives JSON.
    async fn query<T: DeserializeOwned>(&self, sql: &str, values: &[&str]) -> Result<T, Failure> {
        read(self.run(sql, values).await?.as_deref().unwrap_or("null"))
    }
}

fn found(result: &D1Result) -> Result<Option<String>, Failure> {
    if !result.success() {
        let error = result.error().unwrap_or_default();
        return Err(Failure::internal(format!("{BINDING}: {error}")));
    }
    let rows: Vec<Found> = result.results().map_err(|error| failed(&error))?;
    Ok(rows.into_iter().next().and_then(|row| row.found))
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::internal(format!("{BINDING}: what is stored: {error}")))
}

fn write(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::internal(error.to_string()))
}

fn failed(error: &worker::Error) -> Failure {
    unavailable(format!("{BINDING}: {error}"))
}
