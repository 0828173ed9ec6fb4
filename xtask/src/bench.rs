//! `bench`: one of the scripts in bench/, on freshly built workers.

use std::fs;

use anyhow::{Result, bail};

use crate::project::{Project, Worker};
use crate::{building, nginx, process};

#[derive(clap::Args)]
pub struct Args {
    /// Which: the name of a file in bench/, without `.ts`
    name: Option<String>,
    /// Given to it as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let known = names(project);
    let Some(name) = args.name.as_ref().filter(|name| known.contains(name)) else {
        match &known[..] {
            [] => bail!("there is no benchmark in bench/"),
            known => bail!("the benchmarks are: {}", known.join(", ")),
        }
    };
    // A benchmark has the name of the worker that it measures.
    let measured: Vec<Worker> = Worker::ALL
        .into_iter()
        .filter(|worker| worker.name() == name)
        .collect();
    building::build(project, &measured)?;
    let mut command = project.command("node")?;
    command
        .arg(format!("bench/{name}.ts"))
        .args(&args.arguments);
    if name == "gateway" {
        match nginx::unpacked(project) {
            Ok(program) => drop(command.env("NGINX", program)),
            Err(error) => println!("bench: without nginx, since it cannot be had: {error:#}"),
        }
    }
    process::run(&mut command)
}

fn names(project: &Project) -> Vec<String> {
    let files = fs::read_dir(project.path("bench"))
        .into_iter()
        .flatten()
        .flatten();
    let name =
        |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".ts")?.to_owned());
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort();
    names
}
