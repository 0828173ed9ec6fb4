//! `deploy`: all workers to an environment, or as a rehearsal that tells what each one weighs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use toml::Value;

use crate::building::Size;
use crate::project::{Project, Worker};
use crate::{building, config, process, setup, surroundings};

/// What a worker may weigh, gzipped: far below the platform's limit, because size is start-up time.
const MOST_GZIPPED: u64 = 650_000;

/// What stands in the configurations where an operator's own ids belong.
const PLACEHOLDER: &str = "set-me";

#[derive(clap::Args)]
pub struct Args {
    /// Where to: an [env.<name>] of the wrangler configurations
    #[arg(long, value_parser = ["staging", "production"])]
    env: Option<String>,
    /// Do everything but the upload, and tell the sizes
    #[arg(long)]
    dry_run: bool,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let env = args.env.as_deref();
    if env.is_none() && !args.dry_run {
        bail!(
            "where to? The top level of each wrangler.toml is local development: \
             `cargo xtask deploy --env staging` or `--env production`"
        );
    }
    if let Some(env) = env {
        for worker in Worker::ALL {
            let file = project.wrangler_toml(worker);
            let file = project.shown(&file);
            let config = config::read(project, worker)?;
            let own = config.get("env").and_then(|all| all.get(env));
            let own = own.with_context(|| format!("{file} has no [env.{env}]"))?;
            if let Some(vars) = own.get("vars").and_then(Value::as_table) {
                surroundings::check_sizes(vars).with_context(|| format!("{file}, [env.{env}]"))?;
            }
            ensure!(
                args.dry_run || !has_placeholder(own),
                "{file}, [env.{env}]: a value is still \"{PLACEHOLDER}\"; README.md tells how to make what belongs there"
            );
        }
    }
    setup::run(project)?;
    building::build(project, &[])?;
    if args.dry_run {
        rehearse(project, env)
    } else {
        Worker::ALL
            .iter()
            .try_for_each(|worker| upload(project, *worker, env))
    }
}

/// Whether a value is left that only the operator can know: the id of a namespace or a database.
fn has_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => text == PLACEHOLDER,
        Value::Array(values) => values.iter().any(has_placeholder),
        Value::Table(table) => table.values().any(has_placeholder),
        _ => false,
    }
}

fn upload(project: &Project, worker: Worker, env: Option<&str>) -> Result<()> {
    println!("deploying {}", worker.name());
    process::run(
        project
            .command("wrangler")?
            .arg("deploy")
            .args(options(project, worker, env)),
    )
    .with_context(|| {
        format!(
            "{} is not deployed, nor is what would follow it",
            worker.name()
        )
    })
}

fn rehearse(project: &Project, env: Option<&str>) -> Result<()> {
    let mut sizes = Vec::new();
    for worker in Worker::ALL {
        let output = project.path(".wrangler/deploy").join(worker.name());
        if output.exists() {
            fs::remove_dir_all(&output)?;
        }
        let mut command = project.command("wrangler")?;
        command
            .args(["deploy", "--dry-run", "--outdir"])
            .arg(&output)
            .args(options(project, worker, env));
        process::run_logged(&mut command, &output.with_extension("log"))?;
        sizes.push((worker, Size::of(&modules(&output)?)?));
    }
    println!("\nwhat would be deployed:");
    for (worker, size) in &sizes {
        println!("  {:<8} {size}", worker.name());
    }
    for (worker, size) in sizes {
        ensure!(
            size.gzip <= MOST_GZIPPED,
            "{} has {} bytes gzipped, more than the {MOST_GZIPPED} that a worker of this project may have",
            worker.name(),
            size.gzip
        );
    }
    Ok(())
}

fn options(project: &Project, worker: Worker, env: Option<&str>) -> Vec<String> {
    let mut options = vec![
        "--config".to_owned(),
        project.wrangler_toml(worker).display().to_string(),
    ];
    options.extend(env.map(|env| format!("--env={env}")));
    options
}

/// The files that wrangler uploads: not its README, not source maps.
fn modules(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("wrangler wrote no {}", folder.display()))?;
    let files: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    let is_module = |file: &PathBuf| {
        matches!(
            file.extension().and_then(OsStr::to_str),
            Some("js" | "wasm")
        )
    };
    Ok(files.into_iter().filter(is_module).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_found_wherever_it_stands() {
        let own = |text: &str| Value::Table(text.parse().unwrap());
        assert!(has_placeholder(&own("[[kv_namespaces]]\nid = 'set-me'")));
        assert!(has_placeholder(&own(
            "vars = { a = [1, { b = 'set-me' }] }"
        )));
        assert!(!has_placeholder(&own(
            "[[kv_namespaces]]\nid = 'set-me-not'"
        )));
    }
}
