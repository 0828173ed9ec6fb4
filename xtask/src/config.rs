//! The workers' wrangler configurations: their `[vars]` checked, and laid over for one run of
//! `dev`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use toml::{Table, Value};
use types::config::{Config as _, GatewayConfig, Pattern};

use crate::project::{Project, Worker};
use crate::surroundings;

/// Reads the file that `wrangler` reads.
pub fn read(project: &Project, worker: Worker) -> Result<Table> {
    read_table(project, &project.wrangler_toml(worker))
}

/// Checks the `[vars]` of local development and of every environment (wrangler inherits none).
pub fn check(project: &Project, worker: Worker) -> Result<()> {
    let config = read(project, worker)?;
    let file = project.wrangler_toml(worker);
    let file = project.shown(&file);
    let name = config.get("name").and_then(Value::as_str).unwrap_or("");
    refuse_itself(&config, name)
        .and_then(|()| check_vars(worker, &config, &[]))
        .with_context(|| format!("{file}"))?;
    for (env, environment) in environments(&config) {
        let environment = environment
            .as_table()
            .with_context(|| format!("{file}, env.{env} is not a table"))?;
        let others = match worker {
            Worker::Gateway => surroundings::of_others(project, env)?,
            _ => Vec::new(),
        };
        let own = environment.get("name").and_then(Value::as_str);
        let own = own.map_or_else(|| format!("{name}-{env}"), str::to_owned);
        refuse_itself(environment, &own)
            .and_then(|()| check_vars(worker, environment, &others))
            .and_then(|()| refuse_local(environment))
            .with_context(|| format!("{file}, [env.{env}]"))?;
    }
    Ok(())
}

/// A worker that is bound to itself: a route that names this binding would come back for ever.
fn refuse_itself(config: &Table, own: &str) -> Result<()> {
    let services = config.get("services").and_then(Value::as_array);
    let text = |service: &Value, key: &str| service.get(key)?.as_str().map(str::to_owned);
    for service in services.into_iter().flatten() {
        let (name, binding) = (text(service, "service"), text(service, "binding"));
        ensure!(
            name.as_deref() != Some(own),
            "[[services]] {}: {own} is this very worker, and its requests would come back",
            binding.unwrap_or_default()
        );
    }
    Ok(())
}

/// What opens a worker for local development has no place in what is deployed.
fn refuse_local(environment: &Table) -> Result<()> {
    let vars = environment.get("vars").and_then(Value::as_table);
    for (key, value) in vars.into_iter().flatten() {
        let local = key == "LOCAL" || key.starts_with("LOCAL_");
        ensure!(
            !local || value.as_bool() != Some(true),
            "[vars] {key}: it is for local development alone, and this is an environment to deploy"
        );
    }
    Ok(())
}

/// Every `[env.<name>]`.
fn environments(config: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let all = config.get("env").and_then(Value::as_table);
    all.into_iter().flatten()
}

/// The typed configuration of the worker has the last word on its variables; the gateway's table is
/// also checked against what is around it: its own bindings, and what comes to the `others`.
pub fn check_vars(worker: Worker, config: &Table, others: &[Pattern]) -> Result<()> {
    let vars = match config.get("vars") {
        Some(vars) => serde_json::to_value(vars)?,
        None => serde_json::json!({}),
    };
    if worker == Worker::Gateway {
        let parsed = GatewayConfig::parse(vars)?;
        let around = surroundings::of(config, others.to_vec());
        let wrong = types::config::check_table(&parsed, &around);
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        return Ok(());
    }
    types::config::check(worker.name(), vars).map_err(Into::into)
}

/// The tables that an overlay file lays over the `[vars]` of each worker: `[pack]`, `[status]`,
/// `[ddns]`, `[gateway]`.
#[derive(Default)]
pub struct Overlay(Table);

impl Overlay {
    pub fn read(project: &Project, path: &Path) -> Result<Self> {
        Self::parse(read_table(project, path)?).with_context(|| format!("{}", path.display()))
    }

    pub fn parse(tables: Table) -> Result<Self> {
        for (name, value) in &tables {
            ensure!(
                Worker::ALL.iter().any(|worker| worker.name() == name),
                "`{name}` is not a worker: an overlay has the tables [pack], [status], [ddns] and [gateway]"
            );
            ensure!(value.is_table(), "`{name}` is not a table of variables");
        }
        Ok(Self(tables))
    }

    /// Key by key: one that the overlay has replaces the worker's whole variable.
    fn lay_over(&self, worker: Worker, vars: &mut Table) {
        if let Some(Value::Table(over)) = self.0.get(worker.name()) {
            vars.extend(over.clone());
        }
    }
}

/// Where this run's system is, as far as the workers need to know.
pub struct Addresses {
    pub base_url: String,
    /// `host:port` of the Minecraft server.
    pub minecraft: String,
}

/// The configuration of one worker for one run, to be written to
/// `.wrangler/dev/<worker>/wrangler.toml`.
pub fn for_dev(
    worker: Worker,
    mut config: Table,
    addresses: &Addresses,
    overlay: &Overlay,
) -> Result<Table> {
    let vars = config
        .entry("vars")
        .or_insert_with(|| Value::Table(Table::new()));
    let vars = vars.as_table_mut().context("`vars` is not a table")?;
    match worker {
        Worker::Pack => {
            vars.insert(
                "PUBLIC_URL".to_owned(),
                Value::String(addresses.base_url.clone()),
            );
        }
        Worker::Status => {
            let targets = vars.get_mut("targets").and_then(Value::as_array_mut);
            let target = targets
                .and_then(|all| all.first_mut())
                .and_then(Value::as_table_mut);
            let target = target.context("vars.targets names no Minecraft server")?;
            for key in ["address", "connect"] {
                target.insert(key.to_owned(), Value::String(addresses.minecraft.clone()));
            }
        }
        Worker::Ddns | Worker::Gateway => {}
    }
    overlay.lay_over(worker, vars);
    config.remove("env");
    rebase(worker, &mut config)?;
    Ok(config)
}

/// Paths in the file are relative to its folder, which is another one now:
/// `.wrangler/dev/<worker>/`.
fn rebase(worker: Worker, config: &mut Table) -> Result<()> {
    let rebased = |path: &mut Value| match path {
        Value::String(path) => {
            *path = Path::new("../../..")
                .join(worker.config_dir())
                .join(&*path)
                .to_string_lossy()
                .into_owned();
            Ok(())
        }
        _ => Err(anyhow!("{path} is not a path")),
    };
    if let Some(main) = config.get_mut("main") {
        rebased(main).context("main")?;
    }
    match config
        .get_mut("build")
        .and_then(|build| build.get_mut("watch_dir"))
    {
        Some(Value::Array(folders)) => folders
            .iter_mut()
            .try_for_each(rebased)
            .context("build.watch_dir")?,
        Some(folder) => rebased(folder).context("build.watch_dir")?,
        None => {}
    }
    for database in config
        .get_mut("d1_databases")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        match database.get_mut("migrations_dir") {
            Some(folder) => rebased(folder).context("d1_databases.migrations_dir")?,
            None => bail!("a D1 database has no migrations_dir"),
        }
    }
    Ok(())
}

/// The cron expressions of a worker.
pub fn crons(config: &Table) -> Vec<String> {
    let crons = config
        .get("triggers")
        .and_then(|triggers| triggers.get("crons"))
        .and_then(Value::as_array);
    crons
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn read_table(project: &Project, path: &Path) -> Result<Table> {
    let shown = project.shown(path);
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    text.parse().with_context(|| format!("{shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    fn addresses() -> Addresses {
        Addresses {
            base_url: "http://127.0.0.1:8787".to_owned(),
            minecraft: "127.0.0.1:40000".to_owned(),
        }
    }

    #[test]
    fn what_is_for_local_development_is_not_deployed() {
        for open in ["LOCAL = true", "LOCAL_EVENTS = true"] {
            let error = refuse_local(&table(&format!("[vars]\n{open}"))).unwrap_err();
            assert!(error.to_string().starts_with("[vars] LOCAL"), "{error}");
        }
        for closed in ["LOCAL = false", "LOCALE = true", ""] {
            refuse_local(&table(&format!("[vars]\n{closed}"))).unwrap();
        }
    }

    #[test]
    fn a_worker_that_is_bound_to_itself_is_refused() {
        let services =
            "services = [{ binding = 'PACK', service = 'a' }, { binding = 'X', service = 'b' }]";
        let error = refuse_itself(&table(services), "b").unwrap_err();
        assert!(
            error.to_string().starts_with("[[services]] X: b is"),
            "{error}"
        );
        refuse_itself(&table(services), "c").unwrap();
        refuse_itself(&table(""), "").unwrap();
    }

    #[test]
    fn an_overlay_replaces_whole_variables_and_leaves_the_others() {
        let config = table("[vars]\nMAX = 1\nlist = [1, 2]\nPUBLIC_URL = 'x'");
        let overlay = Overlay::parse(table("[pack]\nlist = [3]\nextra.key = true")).unwrap();
        let merged = for_dev(Worker::Pack, config, &addresses(), &overlay).unwrap();
        let expected =
            table("MAX = 1\nlist = [3]\nPUBLIC_URL = 'http://127.0.0.1:8787'\nextra.key = true");
        assert_eq!(merged["vars"].as_table(), Some(&expected));
    }

    #[test]
    fn an_overlay_wins_over_the_stand_in() {
        let config = table(
            "[[vars.targets]]\nid = 'main'\naddress = 'a:1'\n[[vars.targets]]\nid = 'b'\naddress = 'b:1'",
        );
        let plain = for_dev(
            Worker::Status,
            config.clone(),
            &addresses(),
            &Overlay::default(),
        )
        .unwrap();
        assert_eq!(
            plain["vars"]["targets"][0]["connect"].as_str(),
            Some("127.0.0.1:40000")
        );
        assert_eq!(plain["vars"]["targets"][1]["address"].as_str(), Some("b:1"));

        let overlay = Overlay::parse(table(
            "[[status.targets]]\nid = 'mine'\naddress = 'mc.example.com'",
        ))
        .unwrap();
        let merged = for_dev(Worker::Status, config, &addresses(), &overlay).unwrap();
        assert_eq!(merged["vars"]["targets"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            merged["vars"]["targets"][0]["address"].as_str(),
            Some("mc.example.com")
        );
    }

    #[test]
    fn an_unknown_table_of_an_overlay_is_named() {
        let error = Overlay::parse(table("[stauts]\nx = 1"))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("`stauts`"), "{error}");
    }

    #[test]
    fn paths_lead_back_to_the_worker() {
        let config = table(
            "main = 'build/index.js'\nbuild.watch_dir = ['src', '../../shared']\n\
             [[d1_databases]]\nmigrations_dir = 'migrations'\n[env.staging]\nname = 'x'",
        );
        let moved = for_dev(Worker::Ddns, config, &addresses(), &Overlay::default()).unwrap();
        assert_eq!(
            moved["main"].as_str(),
            Some("../../../workers/ddns/build/index.js")
        );
        assert_eq!(
            moved["build"]["watch_dir"][1].as_str(),
            Some("../../../workers/ddns/../../shared")
        );
        assert_eq!(
            moved["d1_databases"][0]["migrations_dir"].as_str(),
            Some("../../../workers/ddns/migrations")
        );
        assert!(!moved.contains_key("env"));

        let gateway = table("main = 'workers/gateway/build/index.js'");
        let moved = for_dev(Worker::Gateway, gateway, &addresses(), &Overlay::default()).unwrap();
        assert_eq!(
            moved["main"].as_str(),
            Some("../../../workers/gateway/build/index.js")
        );
    }
}
