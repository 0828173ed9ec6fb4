//! Makes a machine that has rustup's stable toolchain and Node.js with npm ready for everything
//! else.
//!
//! Each step looks first whether it is done; when all are, this costs some milliseconds. Everything
//! that is installed stays inside the checkout (`.tools`, `node_modules`), but for the toolchain's
//! own target and components.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::process;
use crate::project::Project;

/// The tools that are built from source: crate, version, the binary that is wanted.
const TOOLS: [Tool; 2] = [
    Tool {
        name: "worker-build",
        version: "0.8.7",
        binary: "worker-build",
    },
    Tool {
        name: "wasm-bindgen-cli",
        version: WASM_BINDGEN,
        binary: "wasm-bindgen",
    },
];
/// The command line tool and the crate only work together in the same version.
const WASM_BINDGEN: &str = "0.2.129";
const TARGET: &str = "wasm32-unknown-unknown";
/// Tools that run for seconds need not be optimized for minutes: this halves the time that it takes
/// to build them.
const QUICK_BUILD: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
];

struct Tool {
    name: &'static str,
    version: &'static str,
    binary: &'static str,
}

pub fn run(project: &Project) -> Result<()> {
    let _lock = project.lock("setup")?;
    check_wasm_bindgen(project)?;
    thread::scope(|scope| {
        let npm = scope.spawn(|| npm_packages(project));
        let tools = toolchain(project).and_then(|()| build_tools(project));
        let npm = npm.join().map_err(|_| anyhow!("the npm step broke off"))?;
        tools.and(npm)
    })
}

/// What the stamp of a build must contain: another tool may build something else.
pub fn tool_versions() -> String {
    TOOLS
        .map(|tool| format!("{} {}", tool.name, tool.version))
        .join(", ")
}

/// One of the tools that are built from source.
pub fn tool(project: &Project, binary: &str) -> PathBuf {
    project.path(".tools/bin").join(binary)
}

fn check_wasm_bindgen(project: &Project) -> Result<()> {
    let manifest: toml::Table = fs::read_to_string(project.path("Cargo.toml"))?.parse()?;
    let pinned = manifest["workspace"]["dependencies"]["wasm-bindgen"]
        .as_str()
        .unwrap_or("(not a plain version)");
    ensure!(
        pinned == format!("={WASM_BINDGEN}"),
        "Cargo.toml has wasm-bindgen \"{pinned}\", xtask/src/setup.rs installs wasm-bindgen-cli {WASM_BINDGEN}: \
         they must be the same version"
    );
    Ok(())
}

fn toolchain(project: &Project) -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("rustc does not run")?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        install(&format!("the Rust target {TARGET}"), || {
            process::run_logged(
                project.command("rustup")?.args(["target", "add", TARGET]),
                &log(project, "rustup-target"),
            )
            .context("without rustup, install the target as your toolchain's packager says")
        })?;
    }
    if !sysroot.join("bin/cargo-clippy").exists() || !sysroot.join("bin/rustfmt").exists() {
        install("rustfmt and clippy", || {
            process::run_logged(
                project
                    .command("rustup")?
                    .args(["component", "add", "rustfmt", "clippy"]),
                &log(project, "rustup-component"),
            )
        })?;
    }
    Ok(())
}

fn npm_packages(project: &Project) -> Result<()> {
    if packages_are_locked_ones(project)? {
        return Ok(());
    }
    let npm = Command::new("npm")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure!(
        npm.is_ok_and(|status| status.success()),
        "npm does not run: install Node.js 20 or newer, which has npm"
    );
    install("the npm packages (wrangler, workerd, esbuild, …)", || {
        let mut command = project.command("npm")?;
        command.args(["ci", "--no-audit", "--no-fund"]);
        command.args(["--no-progress", "--loglevel=error"]);
        // The machine's own Node runs npm: the one in node_modules may be about to be replaced.
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        process::run_logged(&mut command, &log(project, "npm"))?;
        ensure!(
            packages_are_locked_ones(project)?,
            "package-lock.json does not belong to package.json: run `npm install` and look at what changes"
        );
        Ok(())
    })
}

fn packages_are_locked_ones(project: &Project) -> Result<bool> {
    let lock = read_json(&project.path("package-lock.json")).context("package-lock.json")?;
    let installed = read_json(&project.path("node_modules/.package-lock.json"));
    Ok(installed.is_ok_and(|installed| same_packages(&lock, &installed)))
}

/// Whether the packages that are there (npm's own record in `node_modules`) are those of
/// `package-lock.json`. What the lock calls optional may be for another platform.
fn same_packages(lock: &Value, installed: &Value) -> bool {
    let (Some(lock), Some(installed)) = (
        lock["packages"].as_object(),
        installed["packages"].as_object(),
    ) else {
        return false;
    };
    let wanted = lock.iter().filter(|(path, _)| !path.is_empty());
    wanted
        .clone()
        .all(|(path, package)| match installed.get(path) {
            Some(found) => found["version"] == package["version"],
            None => package["optional"] == true,
        })
        && installed.keys().all(|path| lock.contains_key(path))
}

fn build_tools(project: &Project) -> Result<()> {
    // cargo's own record of what `cargo install --root` put there.
    let record = fs::read_to_string(project.path(".tools/.crates.toml")).unwrap_or_default();
    let missing: Vec<&Tool> = TOOLS
        .iter()
        .filter(|tool| {
            let recorded = record.contains(&format!("\"{} {} ", tool.name, tool.version));
            !(recorded && self::tool(project, tool.binary).exists())
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in missing {
        install(
            &format!("{} {} (from source)", tool.name, tool.version),
            || {
                let mut command = project.command("cargo")?;
                command
                    .args([
                        "install",
                        tool.name,
                        "--version",
                        tool.version,
                        "--locked",
                        "--force",
                    ])
                    .args(["--bin", tool.binary, "--root"])
                    .arg(project.path(".tools"))
                    .envs(QUICK_BUILD)
                    .env("CARGO_TARGET_DIR", project.path(".tools/target"));
                process::run_logged(&mut command, &log(project, tool.name))
            },
        )?;
    }
    fs::remove_dir_all(project.path(".tools/target")).context("cannot remove .tools/target")
}

/// Says what is being installed, that it still is, and how long it took.
fn install(what: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    println!("setup: installing {what}");
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(Duration::from_secs(30))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                println!(
                    "setup: … still installing {what}, {:.0} s",
                    start.elapsed().as_secs_f64()
                );
            }
        });
        let result = step();
        drop(done);
        result
    })
    .with_context(|| format!("cannot install {what}"))?;
    println!("setup: installed {what} in {}", process::since(start));
    Ok(())
}

fn log(project: &Project, name: &str) -> PathBuf {
    project.path(".tools/log").join(format!("{name}.log"))
}

fn read_json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_version_or_another_package_asks_for_npm() {
        let lock = json!({"packages": {
            "": {"name": "genkan"},
            "node_modules/a": {"version": "1.0.0"},
            "node_modules/only-elsewhere": {"version": "2.0.0", "optional": true},
        }});
        let with = |packages: Value| same_packages(&lock, &json!({"packages": packages}));
        assert!(with(json!({"node_modules/a": {"version": "1.0.0"}})));
        assert!(!with(json!({"node_modules/a": {"version": "1.0.1"}})));
        assert!(!with(json!({})));
        assert!(!with(
            json!({"node_modules/a": {"version": "1.0.0"}, "node_modules/old": {"version": "1.0.0"}})
        ));
        assert!(!same_packages(&lock, &json!(null)));
    }
}
