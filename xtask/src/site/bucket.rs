//! The bucket of the sites, reached through wrangler: that of local development, or a remote one.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use toml::Value;
use types::{SiteName, site};

use super::plan::{Batch, Manifest};
use crate::dev::STATE;
use crate::project::{Project, Worker};
use crate::{config, process};

const BINDING: &str = "SITES";
const JSON: &str = "application/json";
/// wrangler deletes one object a call, and each call takes a second. Locally each starts a runtime of
/// its own over the same files, of which only one may open them at a time.
const DELETIONS_AT_ONCE: usize = 4;

pub struct Bucket<'p> {
    project: &'p Project,
    name: String,
    env: Option<String>,
    /// What the local runtime stores.
    state: PathBuf,
}

impl fmt::Display for Bucket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.env.as_deref().unwrap_or("this machine");
        write!(f, "bucket {} ({place})", self.name)
    }
}

impl<'p> Bucket<'p> {
    /// As the gateway's configuration names it.
    pub fn of(project: &'p Project, env: Option<&str>, state: Option<&Path>) -> Result<Self> {
        let config = Value::Table(config::read(project, Worker::Gateway)?);
        let own = match env {
            Some(env) => config.get("env").and_then(|all| all.get(env)),
            None => Some(&config),
        };
        let buckets = own
            .and_then(|own| own.get("r2_buckets"))
            .and_then(Value::as_array);
        let mut buckets = buckets.into_iter().flatten();
        let sites =
            buckets.find(|bucket| bucket.get("binding").and_then(Value::as_str) == Some(BINDING));
        let name = sites
            .and_then(|sites| sites.get("bucket_name"))
            .and_then(Value::as_str);
        let name = name.with_context(|| {
            format!(
                "wrangler.toml binds no bucket {BINDING} for {}",
                env.unwrap_or("local development")
            )
        })?;
        Ok(Self {
            project,
            name: name.to_owned(),
            env: env.map(str::to_owned),
            state: project.path(state.unwrap_or(Path::new(STATE))),
        })
    }

    /// What the last push left; nothing, if there was none.
    pub fn manifest(&self, site: &SiteName) -> Result<Manifest> {
        let file = self.scratch("manifest-before.json")?;
        if file.exists() {
            fs::remove_file(&file)?;
        }
        let mut command =
            self.wrangler(&["r2", "object", "get"], &[&self.at(&manifest_key(site))])?;
        command.arg("--file").arg(&file);
        match process::run_logged(&mut command, &self.log()) {
            Ok(()) => Manifest::read(&fs::read_to_string(&file)?),
            Err(error) if format!("{error:#}").contains("does not exist") => {
                Ok(Manifest::default())
            }
            Err(error) => Err(error),
        }
    }

    pub fn put_manifest(&self, site: &SiteName, manifest: &Manifest) -> Result<()> {
        let file = self.scratch("manifest.json")?;
        fs::write(&file, serde_json::to_string(manifest)?)?;
        let mut command =
            self.wrangler(&["r2", "object", "put"], &[&self.at(&manifest_key(site))])?;
        command
            .args(["--content-type", JSON])
            .arg("--file")
            .arg(&file);
        process::run_logged(&mut command, &self.log())
    }

    pub fn put(&self, batch: &Batch) -> Result<()> {
        let files = batch.files.iter();
        let list: Vec<_> = files
            .map(|file| json!({"key": file.key, "file": file.source}))
            .collect();
        let file = self.scratch("batch.json")?;
        fs::write(&file, serde_json::to_string(&list)?)?;
        let mut command = self.wrangler(&["r2", "bulk", "put"], &[&self.name])?;
        command.args(["--content-type", batch.content_type]);
        command.args(["--cache-control", batch.cache_control]);
        command.arg("--filename").arg(&file);
        process::run_logged(&mut command, &self.log())
    }

    pub fn delete(&self, site: &SiteName, paths: &[String]) -> Result<()> {
        let delete = |path: &String| {
            let key = format!("{}{site}/{path}", site::PREFIX);
            let mut command = self.wrangler(&["r2", "object", "delete"], &[&self.at(&key)])?;
            let name = format!("site-delete-{}.log", types::Sha1::of(path.as_bytes()));
            let log = self.project.path(".wrangler/site").join(name);
            process::run_logged(&mut command, &log)?;
            fs::remove_file(&log).context("cannot remove a log")
        };
        let at_once = match self.env {
            Some(_) => DELETIONS_AT_ONCE,
            None => 1,
        };
        for some in paths.chunks(at_once) {
            thread::scope(|scope| {
                let running: Vec<_> = some
                    .iter()
                    .map(|path| scope.spawn(|| delete(path)))
                    .collect();
                let mut ended = running.into_iter().map(|one| {
                    one.join()
                        .map_err(|_| anyhow!("a deletion broke off"))
                        .and_then(|result| result)
                });
                ended.try_for_each(|result| result)
            })?;
        }
        Ok(())
    }

    fn wrangler(&self, words: &[&str], names: &[&str]) -> Result<Command> {
        let mut command = self.project.command("wrangler")?;
        command.args(words).args(names);
        command
            .arg("--config")
            .arg(self.project.wrangler_toml(Worker::Gateway));
        match &self.env {
            Some(env) => command.args(["--remote", "--env", env]),
            None => command.args(["--local", "--persist-to"]).arg(&self.state),
        };
        Ok(command)
    }

    fn at(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }

    fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.project.path(".wrangler/site");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder.join(name))
    }

    fn log(&self) -> PathBuf {
        self.project.path(".wrangler/site/wrangler.log")
    }
}

/// Beside the sites and not below them, so that nobody can ask for it.
fn manifest_key(site: &SiteName) -> String {
    format!("manifests/{site}.json")
}
