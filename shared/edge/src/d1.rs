//! D1 with one text in and one text out: rows cross as JSON, which `SQLite` reads and writes itself
//! (`json_each`, `json_group_array`), in one call however many they are.
//!
//! The worker crate's D1 takes every value of every row apart, which makes a worker 4 KB larger
//! (gzipped). For those who use that one all the same, the one way to bind parameters and the cure
//! for a database without tables are here too.

use js_sys::Reflect;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::{D1Database, D1PreparedStatement, D1Type, Env};

use crate::{Failure, stream};

#[wasm_bindgen(inline_js = r#"
export async function first(database, sql, text) {
  return await database.prepare(sql).bind(text).first("found");
}
export async function batch(database, statements, text) {
  const results = await database.batch(statements.map((sql) => database.prepare(sql).bind(text)));
  return JSON.stringify(results.map(({ results }) => results.map(({ found }) => found ?? "")));
}"#)]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn first(database: &JsValue, sql: &str, text: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn batch(
        database: &JsValue,
        statements: Vec<String>,
        text: &str,
    ) -> Result<JsValue, JsValue>;
}

/// Runs one statement with one parameter, and gives the column `found` of its first row. The error
/// is the database's own, or that there is none of this name.
pub async fn run(
    env: &Env,
    binding: &str,
    sql: &str,
    text: &str,
) -> Result<Option<String>, Failure> {
    let found = first(&database(env, binding)?, sql, text).await;
    Ok(found.map_err(|error| failed(binding, &error))?.as_string())
}

/// Runs statements that each have the same one parameter, in one transaction: all of them or none.
pub async fn run_all(env: &Env, binding: &str, sql: &[&str], text: &str) -> Result<(), Failure> {
    transaction(env, binding, sql, text).await.map(drop)
}

/// The same; gives the column `found` of every row of each statement, as text.
pub async fn transaction(
    env: &Env,
    binding: &str,
    sql: &[&str],
    text: &str,
) -> Result<Vec<Vec<String>>, Failure> {
    let statements = sql.iter().copied().map(str::to_owned).collect();
    let found = batch(&database(env, binding)?, statements, text).await;
    let found = found.map_err(|error| failed(binding, &error))?;
    serde_json::from_str(&found.as_string().unwrap_or_default())
        .map_err(|error| Failure::internal(format!("{binding}: {error}")))
}

fn database(env: &Env, binding: &str) -> Result<JsValue, Failure> {
    let database = Reflect::get(env, &binding.into()).map_err(|error| failed(binding, &error))?;
    if database.is_undefined() {
        let missing = format!("there is no D1 binding {binding}");
        return Err(Failure::Internal(missing));
    }
    Ok(database)
}

fn failed(binding: &str, error: &JsValue) -> Failure {
    Failure::internal(format!("{binding}: {}", stream::words(error)))
}

/// A statement of the worker crate's D1 with its parameters; all of them are text.
pub fn statement(
    database: &D1Database,
    sql: &str,
    values: &[Option<&str>],
) -> worker::Result<D1PreparedStatement> {
    let values: Vec<_> = values
        .iter()
        .map(|value| value.map_or(D1Type::Null, D1Type::Text))
        .collect();
    database.prepare(sql).bind_refs(&values)
}

/// What to do about an error that says that the database of a worker has no tables; `None` for any
/// other.
pub fn cure(error: &impl ToString, binding: &str, worker: &str) -> Option<String> {
    error.to_string().contains("no such table").then(|| {
        format!(
            "the migrations of the database have not been applied: `npx wrangler d1 migrations \
             apply {binding} -c workers/{worker}/wrangler.toml` with `--local` or `--remote`"
        )
    })
}
