//! nginx, the peer of `bench gateway`: Debian's package, unpacked inside the checkout. Nothing is installed, and
//! nobody has to be root.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::process;
use crate::project::Project;

/// The version that the figures in docs/gateway.md are of.
const VERSION: &str = "1.22.1-9+deb12u7";

/// The program; fetched, if it is not there.
pub fn unpacked(project: &Project) -> Result<PathBuf> {
    let folder = project.path("target/nginx").join(VERSION);
    let program = folder.join("usr/sbin/nginx");
    if program.exists() {
        return Ok(program);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    println!("bench: fetching nginx {VERSION}");
    let mut download = project.command("apt-get")?;
    download
        .args(["download", &format!("nginx={VERSION}")])
        .current_dir(&folder);
    process::run_logged(&mut download, &folder.with_extension("log"))
        .context("apt-get download (its lists may be old: `apt-get update`)")?;
    let entries = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let package = entries
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "deb"));
    let Some(package) = package else {
        bail!("apt-get download left no package");
    };
    let mut unpack = project.command("dpkg-deb")?;
    unpack.arg("--extract").arg(package).arg(&folder);
    process::run_logged(&mut unpack, &folder.with_extension("log"))?;
    ensure!(program.exists(), "the package has no usr/sbin/nginx");
    Ok(program)
}
