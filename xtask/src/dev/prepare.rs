//! What a run needs on disk: the merged configuration of each worker, and migrated databases.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::config::{self, Addresses, Overlay};
use crate::project::{Project, Worker};
use crate::{process, secrets};

/// Everything that the local runtime stores: KV, R2, D1.
pub const STATE: &str = ".wrangler/state";

/// The folder of a worker's generated configuration and log.
pub fn folder(project: &Project, worker: Worker) -> PathBuf {
    project.path(".wrangler/dev").join(worker.name())
}

/// Merges and checks the configuration of each worker for this run.
pub fn configs(
    project: &Project,
    addresses: &Addresses,
    overlay: &Overlay,
) -> Result<Vec<(Worker, Table)>> {
    Worker::ALL
        .into_iter()
        .map(|worker| {
            let config = config::read(project, worker)?;
            let config = config::for_dev(worker, config, addresses, overlay)
                .and_then(|config| config::check_vars(worker, &config, &[]).map(|()| config))
                .with_context(|| format!("the configuration of {} for this run", worker.name()))?;
            Ok((worker, config))
        })
        .collect()
}

/// Writes them where wrangler will read them, each with its secrets beside it.
pub fn write(project: &Project, configs: &[(Worker, Table)]) -> Result<()> {
    for (worker, config) in configs {
        let folder = folder(project, *worker);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let text = format!(
            "# Made by `cargo xtask dev`, for one run.\n{}",
            toml::to_string(config)?
        );
        fs::write(folder.join("wrangler.toml"), text)?;
        secrets::copy(project, *worker, &folder)?;
    }
    Ok(())
}

/// Applies the migrations of every D1 database, unless this state has these very ones.
pub fn migrate(project: &Project, configs: &[(Worker, Table)]) -> Result<()> {
    for (worker, config) in configs {
        let databases = config
            .get("d1_databases")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for database in databases {
            let binding = database
                .get("binding")
                .and_then(Value::as_str)
                .context("a D1 database has no binding")?;
            let migrations = database.get("migrations_dir").and_then(Value::as_str);
            let migrations = migrations.context("a D1 database has no migrations_dir")?;
            apply(
                project,
                *worker,
                binding,
                &folder(project, *worker).join(migrations),
            )?;
        }
    }
    Ok(())
}

fn apply(project: &Project, worker: Worker, binding: &str, migrations: &Path) -> Result<()> {
    let stamp = project.path(STATE).join(format!("{binding}.migrations"));
    let fingerprint = fingerprint(migrations)?;
    if fs::read_to_string(&stamp).is_ok_and(|applied| applied == fingerprint) {
        return Ok(());
    }
    let folder = folder(project, worker);
    let mut command = project.command("wrangler")?;
    command
        .args([
            "d1",
            "migrations",
            "apply",
            binding,
            "--local",
            "--persist-to",
            STATE,
            "--config",
        ])
        .arg(folder.join("wrangler.toml"));
    process::run_logged(&mut command, &folder.join("migrations.log"))?;
    fs::write(&stamp, fingerprint)?;
    println!("{:<8} database {binding} migrated", worker.name());
    Ok(())
}

/// Of the names and contents of all files in a folder.
fn fingerprint(folder: &Path) -> Result<String> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(file.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.write(&fs::read(file)?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}
