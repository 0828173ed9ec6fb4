//! Where things are: the checkout and its four workers.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

/// In the order in which they are deployed: the gateway last, because its bindings name the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Worker {
    Pack,
    Status,
    Ddns,
    Gateway,
}

impl Worker {
    pub const ALL: [Self; 4] = [Self::Pack, Self::Status, Self::Ddns, Self::Gateway];

    /// Its crate, its folder below `workers/` and its key in `dev.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Status => "status",
            Self::Ddns => "ddns",
            Self::Gateway => "gateway",
        }
    }

    /// The folder of its wrangler configuration, from the root: the gateway's is the root.
    pub fn config_dir(self) -> &'static str {
        match self {
            Self::Pack => "workers/pack",
            Self::Status => "workers/status",
            Self::Ddns => "workers/ddns",
            Self::Gateway => "",
        }
    }
}

/// The checkout that this command works on.
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// `cargo run` says where the package `xtask` is; the binary run by itself asks cargo.
    pub fn find() -> Result<Self> {
        if let Some(package) = env::var_os("CARGO_MANIFEST_DIR") {
            let root = Path::new(&package)
                .parent()
                .context("xtask has no parent folder")?;
            return Ok(Self {
                root: root.to_owned(),
            });
        }
        let output = Command::new("cargo")
            .args(["locate-project", "--workspace", "--message-format", "plain"])
            .output()
            .context("cargo does not run")?;
        ensure!(
            output.status.success(),
            "this is not inside a checkout of genkan"
        );
        let manifest = String::from_utf8(output.stdout)?;
        let root = Path::new(manifest.trim())
            .parent()
            .context("cargo named no workspace")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A path as it is shown to people.
    pub fn shown<'p>(&self, path: &'p Path) -> std::path::Display<'p> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    pub fn wrangler_toml(&self, worker: Worker) -> PathBuf {
        self.path(worker.config_dir()).join("wrangler.toml")
    }

    /// Waits until no other process of this checkout does the same; dropping the file lets go.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.path(".tools/lock").join(name);
        let file = create_file(&path)?;
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }
}

/// Opens a file for writing without emptying it, making its folder.
pub fn create_file(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}
