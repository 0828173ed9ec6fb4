//! `lint`: format, lints on both targets, and the types of the TypeScript tests.

use anyhow::Result;

use crate::project::{Project, Worker};
use crate::{process, setup};

pub fn run(project: &Project) -> Result<()> {
    setup::run(project)?;
    println!("lint: format");
    process::run(project.command("cargo")?.args(["fmt", "--all", "--check"]))?;

    println!("lint: clippy, host");
    let clippy = ["clippy", "--quiet"];
    let deny = ["--", "-D", "warnings"];
    let host = ["--workspace", "--all-targets"];
    process::run(project.command("cargo")?.args(clippy).args(host).args(deny))?;

    println!("lint: clippy, wasm");
    let wasm = ["--target", "wasm32-unknown-unknown"];
    let workers = Worker::ALL.map(|worker| format!("--package={}", worker.name()));
    process::run(
        project
            .command("cargo")?
            .args(clippy)
            .args(wasm)
            .args(workers)
            .args(deny),
    )?;

    if project.path("tests/tsconfig.json").exists() {
        println!("lint: types of the tests");
        process::run(project.command("tsc")?.args([
            "--noEmit",
            "--project",
            "tests/tsconfig.json",
        ]))?;
    }
    Ok(())
}
