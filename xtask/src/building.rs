//! `build`: configuration checked, crate to wasm, wasm to what wrangler serves
//! (`workers/<name>/build/`).

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::project::{Project, Worker};
use crate::{config, process, setup};

/// What the last build was made from, and what it weighs.
const STAMP: &str = ".stamp";

pub fn build(project: &Project, workers: &[Worker]) -> Result<()> {
    let workers = if workers.is_empty() {
        &Worker::ALL
    } else {
        workers
    };
    setup::run(project)?;
    for worker in workers {
        config::check(project, *worker)?;
    }
    thread::scope(|scope| {
        let mut builds = Vec::new();
        for worker in workers {
            let start = Instant::now();
            // One at a time: built together, they would share the union of their dependencies'
            // features, and each would be built again when it is wanted alone.
            cargo_build(project, *worker)?;
            builds.push(scope.spawn(move || bundle(project, *worker, start)));
        }
        builds
            .into_iter()
            .try_for_each(|build| build.join().map_err(|_| anyhow!("a build broke off"))?)
    })
}

/// The same command and environment as inside worker-build, which then finds the crate built.
fn cargo_build(project: &Project, worker: Worker) -> Result<()> {
    let mut command = project.command("cargo")?;
    command
        .args(["build", "--lib", "--release", "--package", worker.name()])
        .args(["--target", "wasm32-unknown-unknown"])
        .env("WASM_BINDGEN_USE_JS_SYS", "1");
    let first = !output(project, worker).join(STAMP).exists();
    if first {
        println!("{:<8} is built for the first time", worker.name());
    }
    if !(first && io::stderr().is_terminal()) {
        command.arg("--quiet");
    }
    process::run(&mut command)
}

/// Makes what wrangler serves out of what cargo built, unless that is done.
fn bundle(project: &Project, worker: Worker, start: Instant) -> Result<()> {
    let name = worker.name();
    let _lock = project.lock(&format!("build-{name}"))?;
    let wasm = project.path("target/wasm32-unknown-unknown/release");
    let fingerprint = fingerprint(&wasm.join(format!("{name}.wasm")))?;
    let output = output(project, worker);
    let (word, size) = match read_stamp(&output.join(STAMP), &fingerprint) {
        Some(size) if output.join("index.js").exists() => ("unchanged", size),
        _ => {
            worker_build(project, worker)?;
            strip(project, &output.join("index_bg.wasm"))?;
            let size = Size::of(&[output.join("index.js"), output.join("index_bg.wasm")])?;
            let stamp = json!({"input": fingerprint, "raw": size.raw, "gzip": size.gzip});
            fs::write(output.join(STAMP), stamp.to_string())?;
            ("built", size)
        }
    };
    let took = process::since(start);
    println!("{name:<8} {word:<9} {took:>7}  {size}");
    Ok(())
}

fn output(project: &Project, worker: Worker) -> PathBuf {
    project.path("workers").join(worker.name()).join("build")
}

fn worker_build(project: &Project, worker: Worker) -> Result<()> {
    let mut command = project.command(&setup::tool(project, "worker-build").to_string_lossy())?;
    command
        .arg("--release")
        .current_dir(project.path("workers").join(worker.name()))
        .env("RUST_BACKTRACE", "0") // its errors say enough
        .env("WASM_BINDGEN_BIN", setup::tool(project, "wasm-bindgen"))
        .env(
            "WASM_OPT_BIN",
            project.path("node_modules/binaryen/bin/wasm-opt"),
        )
        .env("ESBUILD_BIN", project.path("node_modules/.bin/esbuild"));
    process::run_logged(
        &mut command,
        &project
            .path(".tools/log")
            .join(format!("{}.log", worker.name())),
    )
}

/// Takes the functions' names out: a seventh of what is shipped, and worker-build keeps them whatever
/// it is told. Its features are named, as worker-build names them, so that nothing newer is written.
fn strip(project: &Project, wasm: &Path) -> Result<()> {
    let tool = project.path("node_modules/binaryen/bin/wasm-opt");
    let mut command = project.command(&tool.to_string_lossy())?;
    command.args(["--strip-debug", "--strip-producers"]).args([
        "--enable-mutable-globals",
        "--enable-sign-ext",
        "--enable-nontrapping-float-to-int",
        "--enable-bulk-memory",
        "--enable-multivalue",
        "--enable-reference-types",
        "--enable-exception-handling",
    ]);
    process::run(command.arg(wasm).arg("-o").arg(wasm))
}

/// What worker-build makes its output from. It tells changes apart, nothing more: no cryptography
/// is needed.
fn fingerprint(wasm: &Path) -> Result<String> {
    let bytes = fs::read(wasm).with_context(|| format!("cargo made no {}", wasm.display()))?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&bytes);
    Ok(format!(
        "{:016x} {}",
        hasher.finish(),
        setup::tool_versions()
    ))
}

fn read_stamp(path: &Path, fingerprint: &str) -> Option<Size> {
    let stamp: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (stamp["input"] == fingerprint).then_some(())?;
    Some(Size {
        raw: stamp["raw"].as_u64()?,
        gzip: stamp["gzip"].as_u64()?,
    })
}

/// What a worker weighs: the sum of its modules, as they are and gzipped one by one.
#[derive(Clone, Copy)]
pub struct Size {
    pub raw: u64,
    pub gzip: u64,
}

impl Size {
    pub fn of(files: &[PathBuf]) -> Result<Self> {
        let mut size = Self { raw: 0, gzip: 0 };
        for file in files {
            let bytes =
                fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes)?;
            size.raw += bytes.len() as u64;
            size.gzip += encoder.finish()?.len() as u64;
        }
        Ok(size)
    }
}

/// In thousands of bytes, as the limits of the platform are told.
impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kb = |bytes: u64| bytes.div_ceil(1000);
        write!(f, "{:>5} KB, {:>4} KB gzipped", kb(self.raw), kb(self.gzip))
    }
}
