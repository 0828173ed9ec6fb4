//! What a running system tells: `.wrangler/dev.json` for scripts, a panel and the workers' logs for
//! people.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::cron;
use crate::project::{Project, Worker, create_file};
use crate::secrets::{Tokens, write_private};

/// Where the system is, while it runs.
const STATE_FILE: &str = ".wrangler/dev.json";
/// Held for as long as a system runs; contains the process id of its `cargo xtask dev`.
const LOCK_FILE: &str = ".wrangler/dev.lock";

pub struct Running {
    pub base_url: String,
    pub tokens: Tokens,
    pub workers: Vec<RunningWorker>,
    /// The port of the stand-in, if there is one.
    pub minecraft: Option<u16>,
}

pub struct RunningWorker {
    pub name: &'static str,
    pub url: String,
    pub crons: Vec<String>,
}

impl Running {
    pub fn worker(&self, worker: Worker) -> Result<&RunningWorker> {
        let found = self
            .workers
            .iter()
            .find(|running| running.name == worker.name());
        found.with_context(|| format!("{} does not run", worker.name()))
    }
}

impl RunningWorker {
    pub fn cron_url(&self) -> Option<String> {
        (!self.crons.is_empty()).then(|| cron::url(&self.url))
    }
}

/// Two systems cannot share one state folder. The lock goes with the process, however that ends.
pub fn only_one(project: &Project) -> Result<File> {
    let mut file = create_file(&project.path(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)?;
            bail!(
                "`cargo xtask dev` is already running in this checkout (process {pid}): end it first"
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {LOCK_FILE}"));
        }
    }
    forget(project); // a run that was killed has left it
    file.set_len(0)?;
    write!(file, "{}", std::process::id())?;
    Ok(file)
}

pub fn write(project: &Project, running: &Running, pids: &[u32]) -> Result<()> {
    let workers: Map<String, Value> = running
        .workers
        .iter()
        .map(|worker| {
            (
                worker.name.to_owned(),
                json!({"url": worker.url, "cron_url": worker.cron_url()}),
            )
        })
        .collect();
    let state = json!({
        "base_url": running.base_url,
        "token": running.tokens.operator,
        "workers": workers,
        "minecraft": running.minecraft.map(|port| json!({"host": "127.0.0.1", "port": port})),
        "pids": pids,
    });
    write_private(&project.path(STATE_FILE), &format!("{state:#}\n"))
}

/// What a running system has written; none if none runs.
pub fn read(project: &Project) -> Result<Option<Value>> {
    let lock = create_file(&project.path(LOCK_FILE))?;
    match lock.try_lock() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => match fs::read(project.path(STATE_FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text).context(STATE_FILE)?),
            Err(_) => bail!("the system is still starting"),
        },
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {LOCK_FILE}"))
        }
    }
}

pub fn forget(project: &Project) {
    // It may never have been written.
    let _ = fs::remove_file(project.path(STATE_FILE));
}

/// What people see once everything serves.
pub fn panel(running: &Running, took: &str) {
    let Running {
        base_url, tokens, ..
    } = running;
    let port = base_url.rsplit(':').next().unwrap_or_default();
    println!(
        "
genkan serves after {took}

  address    {base_url}
  by host    http://rp.localhost:{port}  http://motd.localhost:{port}  http://ddns.localhost:{port}
  operator   {operator}
  router     {router}   (home.example.com only)

  upload     curl -T fixtures/packs/sample.zip -H 'Authorization: Bearer {operator}' {base_url}/api/packs/main
  latest     curl {base_url}/api/pack/latest
  status     curl {base_url}/api/status
  dyndns     curl -u router:{router} '{base_url}/nic/update?hostname=home.example.com&myip=1.2.3.4'
  health     curl {base_url}/api/health

Logs are in .wrangler/dev/*.log, an edit rebuilds its worker, Ctrl-C ends everything.
",
        operator = tokens.operator,
        router = tokens.router,
    );
}

/// What the terminal shows of a line of wrangler's output: the JSON lines of a worker's log,
/// errors, and builds.
pub fn worth_showing(line: &str) -> Option<&str> {
    let text = line.trim();
    if let Some(build) = text.strip_prefix("[custom build]").map(str::trim) {
        return (!build.is_empty() && !build.starts_with("Running:")).then_some(build);
    }
    let log = text.starts_with('{');
    let error = ["✘", "Uncaught", "panicked"]
        .iter()
        .any(|word| text.contains(word));
    (log || error).then_some(text)
}
