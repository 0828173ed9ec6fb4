//! The automation of this repository, and the only one: `cargo xtask <command>`.
//!
//! Every command makes the machine ready by itself (`setup`) and does nothing twice.

#![allow(clippy::disallowed_methods)] // a host tool: it may read the machine's clock

mod bench;
mod building;
mod config;
mod cron;
mod deploy;
mod dev;
#[cfg(test)]
mod documented;
mod http;
mod lint;
mod nginx;
mod process;
mod project;
mod secrets;
mod setup;
mod site;
mod surroundings;
mod testing;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::project::{Project, Worker};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run, test and deploy genkan")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the other commands need (they all do it by themselves)
    Setup,
    /// Check the configuration and build workers to wasm
    Build {
        /// Which workers; all of them if none is named
        workers: Vec<Worker>,
    },
    /// Run the whole system on this machine
    Dev(dev::Args),
    /// Fire the cron of one worker of the running system, once
    Cron { worker: Worker },
    /// Run the host tests, then the end-to-end tests
    Test(testing::Args),
    /// Check format, lints (host and wasm) and the types of the tests
    Lint,
    /// Run one benchmark of bench/
    Bench(bench::Args),
    /// Put a static site where the gateway serves it
    Site(site::Args),
    /// Deploy all workers to an environment
    Deploy(deploy::Args),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let cli = Cli::parse();
    process::end_children_on_signals()?;
    let project = Project::find()?;
    match cli.command {
        Command::Setup => setup::run(&project),
        Command::Build { workers } => building::build(&project, &workers),
        Command::Dev(args) => dev::run(&project, &args),
        Command::Cron { worker } => cron::run(&project, worker),
        Command::Test(args) => testing::run(&project, &args),
        Command::Lint => lint::run(&project),
        Command::Bench(args) => bench::run(&project, &args),
        Command::Site(args) => site::run(&project, &args),
        Command::Deploy(args) => deploy::run(&project, &args),
    }
}
