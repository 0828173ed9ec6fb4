//! `dev`: the whole system on this machine, until Ctrl-C.
//!
//! One `wrangler dev` process for each worker, because only so each one's cron can be fired; they
//! share one state folder and find each other's service bindings through wrangler's registry. The
//! gateway has the port that is asked for.

mod announce;
mod ports;
mod prepare;
mod seed;
mod system;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use toml::Table;

use self::announce::{Running, RunningWorker};
use self::system::System;
use crate::config::{Addresses, Overlay};
use crate::project::{Project, Worker, create_file};
use crate::secrets::{self, Tokens};
use crate::{building, config, cron, http, process, setup};

pub use self::announce::read as running;
pub use self::prepare::STATE;

/// How long the workers may take until they answer.
const PATIENCE: Duration = Duration::from_mins(2);

#[allow(clippy::struct_excessive_bools)] // switches of a command line are bools
#[derive(clap::Args)]
pub struct Args {
    /// Where the gateway, and so the whole system, listens
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// A real Minecraft server or proxy to ping, instead of a stand-in
    #[arg(long, value_name = "HOST:PORT")]
    velocity: Option<types::config::Address>,
    /// Upload the sample pack if none is published, and ping at once
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    seed: bool,
    /// The same as --seed=false
    #[arg(long)]
    no_seed: bool,
    /// Delete what earlier runs stored
    #[arg(long)]
    reset: bool,
    /// Do not fire the crons (`cargo xtask cron <worker>` still does)
    #[arg(long)]
    no_cron: bool,
    /// A TOML file whose tables [pack], [status], [ddns] and [gateway] are laid over the [vars] of
    /// these workers for this run: a key there replaces the whole variable, lists such as `routes`
    /// included
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let start = Instant::now();
    match prepare_and_serve(project, args, start) {
        Err(_) if process::stopping() => Ok(()),
        outcome => outcome,
    }
}

fn prepare_and_serve(project: &Project, args: &Args, start: Instant) -> Result<()> {
    let _lock = announce::only_one(project)?;
    ports::ensure_free(args.port)?;
    let overlay = args
        .overlay
        .as_deref()
        .map(|file| Overlay::read(project, file));
    let overlay = overlay.transpose()?.unwrap_or_default();
    let [minecraft, free @ ..] = ports::free::<8>(args.port)?;
    let stand_in = args.velocity.is_none().then_some(minecraft);
    let addresses = Addresses {
        base_url: format!("http://127.0.0.1:{}", args.port),
        minecraft: match &args.velocity {
            Some(velocity) => velocity.to_string(),
            None => format!("127.0.0.1:{minecraft}"),
        },
    };
    let configs = prepare::configs(project, &addresses, &overlay)?;

    setup::run(project)?;
    if args.reset {
        reset(project)?;
    }
    let tokens = secrets::ensure(project)?;
    prepare::write(project, &configs)?;
    building::build(project, &[])?;
    prepare::migrate(project, &configs)?;

    let plan = Plan {
        configs,
        base_url: addresses.base_url,
        stand_in,
        tokens,
        free,
    };

    ports::ensure_free(args.port)?; // the build may have taken minutes
    let mut system = System::new(project.command("sh")?)?;
    let served = serve(project, args, start, &mut system, plan);
    announce::forget(project);
    if process::stopping() {
        process::tell("", "stopping");
    }
    let ended = system.end();
    served.and(ended)
}

/// What is settled before the first process starts.
struct Plan {
    configs: Vec<(Worker, Table)>,
    base_url: String,
    stand_in: Option<u16>,
    tokens: Tokens,
    /// Three for the workers behind the gateway, four for the inspectors.
    free: [u16; 7],
}

fn serve(
    project: &Project,
    args: &Args,
    start: Instant,
    system: &mut System,
    plan: Plan,
) -> Result<()> {
    if let Some(port) = plan.stand_in {
        start_minecraft(project, system, port)?;
    }
    let mut running = Running {
        base_url: plan.base_url,
        tokens: plan.tokens,
        workers: Vec::new(),
        minecraft: plan.stand_in,
    };
    let [pack, status, ddns, inspectors @ ..] = plan.free;
    let ports = [pack, status, ddns, args.port];
    for (((worker, config), port), inspector) in plan.configs.iter().zip(ports).zip(inspectors) {
        start_worker(project, system, *worker, port, inspector)?;
        let url = format!("http://127.0.0.1:{port}");
        if running.workers.is_empty() {
            // Every runtime opens all databases of the state folder. The first one makes them
            // alone: two that do so at once find them locked.
            wait_for(system, &url)?;
        }
        running.workers.push(RunningWorker {
            name: worker.name(),
            url,
            crons: config::crons(config),
        });
    }
    for worker in &running.workers {
        wait_for(system, &worker.url)?;
    }
    if args.seed && !args.no_seed {
        // Not a reason to end what serves.
        if let Err(error) = seed::run(project, &running) {
            println!("seed: {error:#}");
        }
    }
    announce::write(project, &running, &System::pids())?;
    announce::panel(&running, &process::since(start));
    system.talk();
    if !args.no_cron {
        tick(&running);
    }
    while !process::stopping() {
        system.check()?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn reset(project: &Project) -> Result<()> {
    let state = project.path(prepare::STATE);
    if state.exists() {
        fs::remove_dir_all(&state).with_context(|| format!("cannot delete {}", prepare::STATE))?;
    }
    println!(
        "reset: deleted {}, the stored packs, status and history",
        prepare::STATE
    );
    Ok(())
}

fn start_minecraft(project: &Project, system: &mut System, port: u16) -> Result<()> {
    let mut command = project.command("node")?;
    command.args(["tests/peers/minecraft.ts", "--port", &port.to_string()]);
    // Its end is ours: it would take a closed input as the word to stop.
    command.stdin(std::process::Stdio::piped());
    let log = project.path(".wrangler/dev/minecraft.log");
    create_file(&log)?;
    system.start("minecraft", &mut command, log, |_| None)
}

fn start_worker(
    project: &Project,
    system: &mut System,
    worker: Worker,
    port: u16,
    inspector: u16,
) -> Result<()> {
    let folder = prepare::folder(project, worker);
    let mut command = project.command("wrangler")?;
    command
        .args([
            "dev",
            "--ip",
            "127.0.0.1",
            "--show-interactive-dev-session=false",
        ])
        .arg("--config")
        .arg(folder.join("wrangler.toml"))
        .args([
            "--port",
            &port.to_string(),
            "--inspector-port",
            &inspector.to_string(),
        ])
        .arg("--persist-to")
        .arg(project.path(prepare::STATE))
        // Two checkouts on one machine must not find each other's workers.
        .env("WRANGLER_REGISTRY_PATH", project.path(".wrangler/registry"))
        .env("WRANGLER_WRITE_LOGS", "false")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        // wrangler's own traces of every request: four processes would write one database.
        .env("X_LOCAL_OBSERVABILITY", "false")
        .env("NO_COLOR", "1");
    system.start(
        worker.name(),
        &mut command,
        folder.with_extension("log"),
        announce::worth_showing,
    )
}

/// Waits until a worker answers anything at all.
fn wait_for(system: &mut System, url: &str) -> Result<()> {
    let agent = http::agent(Duration::from_secs(5));
    let start = Instant::now();
    while agent.get(url).call().is_err() {
        system.check()?;
        if process::stopping() {
            bail!("stopped");
        }
        if start.elapsed() > PATIENCE {
            bail!("{url} does not answer; what wrangler says is in .wrangler/dev/*.log");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Fires each worker's crons when they are due, for as long as the process lives.
fn tick(running: &Running) {
    for worker in &running.workers {
        for expression in &worker.crons {
            let (name, url, expression) = (worker.name, cron::url(&worker.url), expression.clone());
            thread::spawn(move || cron::keep_firing(name, &url, &expression));
        }
    }
}
