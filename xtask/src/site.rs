//! `site push`: a folder to R2, as a static site that the gateway serves.
//!
//! What was pushed last lies beside the site in the bucket (`manifests/<name>.json`), so that only
//! what has changed is uploaded, and what has gone is known without listing the bucket, which wrangler
//! cannot. It says beforehand what is about to change, so that a push that breaks off is made good by the
//! next. Files go first and pages last: no page names what is not there yet.

mod bucket;
mod folder;
mod plan;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use types::SiteName;

use self::bucket::Bucket;
use self::plan::{Manifest, Plan};
use crate::project::Project;
use crate::{process, setup};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Upload a folder as a static site: what has changed since the last push, pages last
    Push(PushArgs),
}

#[derive(clap::Args)]
struct PushArgs {
    /// The site, as `site` in the route table names it
    name: String,
    /// The folder with its `index.html`
    folder: PathBuf,
    /// Where to: an [env.<name>] of the gateway's configuration; left out: local development
    #[arg(long, value_parser = ["staging", "production"])]
    env: Option<String>,
    /// Delete what an earlier push uploaded and the folder has no more
    #[arg(long)]
    delete: bool,
    /// Upload what has not changed, too
    #[arg(long)]
    all: bool,
    /// Another folder than that of `dev` for what the local runtime stores: for tests
    #[arg(long, hide = true, conflicts_with = "env")]
    state: Option<PathBuf>,
}

pub fn run(project: &Project, args: &Args) -> Result<()> {
    let Command::Push(args) = &args.command;
    push(project, args)
}

fn push(project: &Project, args: &PushArgs) -> Result<()> {
    let start = Instant::now();
    let name: SiteName = args.name.parse()?;
    let here = std::env::current_dir().context("there is no current folder")?;
    let folder = folder::read(&here.join(&args.folder), &name)
        .with_context(|| format!("{}", args.folder.display()))?;
    setup::run(project)?;
    let _lock = project.lock("site-push")?;
    let bucket = Bucket::of(project, args.env.as_deref(), args.state.as_deref())?;
    let before = bucket.manifest(&name)?;
    let plan = Plan::new(&before, &folder.files, args.all);
    for skipped in &folder.skipped {
        println!("site {name}: {skipped} begins with a dot and is left out");
    }
    let begun = plan.uploads() > 0;
    if begun {
        let mut during = before.clone();
        during.unsettle(plan.uploaded());
        bucket.put_manifest(&name, &during)?;
    }
    for batch in &plan.batches {
        bucket.put(batch)?;
        for file in &batch.files {
            println!("  {} {}", file.sign(), file.path);
        }
    }
    let mut after = plan.manifest(&before);
    if args.delete {
        after.unsettle(&plan.gone);
    }
    if begun || after != before {
        bucket.put_manifest(&name, &after)?;
    }
    if args.delete && !plan.gone.is_empty() {
        bucket.delete(&name, &plan.gone)?;
        for path in &plan.gone {
            println!("  - {path}");
        }
        after.forget(&plan.gone);
        bucket.put_manifest(&name, &after)?;
    }
    tell(&name, &plan, args.delete, &bucket, start);
    Ok(())
}

fn tell(name: &SiteName, plan: &Plan, delete: bool, bucket: &Bucket, start: Instant) {
    let gone = match (plan.gone.len(), delete) {
        (0, _) => String::new(),
        (count, true) => format!(", {count} deleted"),
        (count, false) => {
            let those: Vec<_> = plan.gone.iter().take(5).map(String::as_str).collect();
            let more = if count > 5 { ", …" } else { "" };
            format!(
                ", {count} gone from the folder and left there ({}{more}; --delete deletes)",
                those.join(", ")
            )
        }
    };
    println!(
        "site {name}: {} uploaded, {} unchanged{gone}, in {bucket}, {}",
        plan.uploads(),
        plan.unchanged,
        process::since(start)
    );
}

impl Manifest {
    /// What the bucket has of it; refuses what is no manifest.
    fn read(text: &str) -> Result<Self> {
        let manifest: Self =
            serde_json::from_str(text).context("the site's manifest is unreadable")?;
        ensure!(
            manifest.v == 1,
            "the site's manifest is of version {}, not 1",
            manifest.v
        );
        Ok(manifest)
    }
}
