//! `test`: what the host can test, then the built workers in the real runtime.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::project::Project;
use crate::{building, process, setup};

/// The only crates that may know the platform: its own, the glue and the workers.
const KNOW_THE_PLATFORM: [&str; 6] = ["worker", "edge", "pack", "status", "ddns", "gateway"];

#[derive(clap::Args)]
pub struct Args {
    /// Only the host tests
    #[arg(long, conflicts_with = "e2e")]
    host: bool,
    /// Only the end-to-end tests
    #[arg(long)]
    e2e: bool,
    /// Only tests whose names contain this
    #[arg(last = true)]
    filter: Vec<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    setup::run(project)?;
    if !args.e2e {
        platform_stays_above(project)?;
        println!("test: host");
        let mut command = project.command("cargo")?;
        command
            .args(["test", "--quiet", "--workspace", "--"])
            .args(&args.filter);
        process::run(&mut command)?;
    }
    if !args.host {
        building::build(project, &[])?;
        end_to_end(project, &args.filter)?;
    }
    Ok(())
}

fn end_to_end(project: &Project, filter: &[String]) -> Result<()> {
    println!("test: end to end");
    let files = fs::read_dir(project.path("tests"))
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<String> = files
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".test.ts"))
        .map(|name| format!("tests/{name}"))
        .collect();
    ensure!(!files.is_empty(), "there is no tests/*.test.ts");
    files.sort();
    let mut command = project.command("node")?;
    command.args(["--test", "--test-reporter=spec", "--test-concurrency=2"]);
    command.args(
        filter
            .iter()
            .map(|name| format!("--test-name-pattern={name}")),
    );
    process::run(command.args(files))
}

/// Pure crates stay pure: only the glue and the workers reach the crate `worker`, however
/// indirectly.
fn platform_stays_above(project: &Project) -> Result<()> {
    let output = project
        .command("cargo")?
        .args([
            "tree",
            "--workspace",
            "--invert",
            "worker",
            "--edges",
            "all",
            "--target",
            "all",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo does not run")?;
    ensure!(output.status.success(), "`cargo tree` failed");
    let tree = String::from_utf8(output.stdout)?;
    let offenders = offenders(&tree);
    ensure!(
        offenders.is_empty(),
        "{} must not depend on the crate `worker`: only shared/edge and workers/* know the platform",
        offenders.join(", ")
    );
    Ok(())
}

/// The crates of `cargo tree --invert worker` (one a line, name first) that should not be in it.
fn offenders(tree: &str) -> Vec<&str> {
    let names = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut offenders: Vec<&str> = names
        .filter(|name| !KNOW_THE_PLATFORM.contains(name))
        .collect();
    offenders.sort_unstable();
    offenders.dedup();
    offenders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pure_crate_that_reaches_the_platform_is_named() {
        let tree = "worker v0.8.7\nedge v0.1.0 (/x)\npack v0.1.0 (/x)\nxtask v0.1.0 (/x)\nedge v0.1.0 (/x) (*)\n\n";
        assert_eq!(offenders(tree), ["xtask"]);
        assert!(offenders("worker v0.8.7\nedge v0.1.0 (/x)\n").is_empty());
    }
}
