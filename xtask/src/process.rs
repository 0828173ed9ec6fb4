//! Running other programs so that none outlives the command that started it.
//!
//! Every child gets its own process group; a signal to xtask ends the groups. (A terminal's Ctrl-C
//! reaches only xtask.)

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::project::Project;

/// How often SIGINT, SIGTERM or SIGHUP came.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

pub fn end_children_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        SIGNALS.fetch_add(1, Ordering::SeqCst);
    })
    .context("cannot handle signals")
}

/// Somebody asked this command to end.
pub fn stopping() -> bool {
    SIGNALS.load(Ordering::SeqCst) > 0
}

/// Somebody asked twice.
pub fn forced() -> bool {
    SIGNALS.load(Ordering::SeqCst) > 1
}

impl Project {
    /// A program as the tools of this checkout want it: from the root, `node_modules/.bin` first on
    /// the path (its Node is newer than the machine's), no questions and no usage statistics.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut path = vec![self.path("node_modules/.bin")];
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let path = env::join_paths(path).context("this folder's name cannot be on PATH")?;
        let mut command = Command::new(program);
        command
            .current_dir(self.root())
            .env("PATH", path)
            .env("WRANGLER_SEND_METRICS", "false")
            // Its own log, which it would put below the user's home.
            .env("WRANGLER_LOG_PATH", self.path(".wrangler/logs"))
            .stdin(Stdio::null())
            .process_group(0);
        Ok(command)
    }
}

/// Runs to the end, showing what the program says.
pub fn run(command: &mut Command) -> Result<()> {
    let status = wait(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs to the end quietly: what the program says goes to `log`, and into the error if it fails.
pub fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = wait(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}):\n{}", shown(command), excerpt(log));
    }
    Ok(())
}

/// The last lines of a log file.
pub fn tail(log: &Path, lines: usize) -> String {
    let text = read_lossy(log);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// All of a short log; of a long one the beginning, where npm says what is wrong, and the end,
/// where cargo does.
fn excerpt(log: &Path) -> String {
    let text = read_lossy(log);
    let all: Vec<&str> = text.lines().collect();
    match all.len() {
        0..=60 => all.join("\n"),
        count => format!(
            "{}\n…\n{}",
            all[..15].join("\n"),
            all[count - 40..].join("\n")
        ),
    }
}

fn read_lossy(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

/// A line about one part of the running system. That nobody reads any more is no reason to end it.
pub fn tell(name: &str, text: &str) {
    let _ = writeln!(std::io::stdout(), "{name:<8} {text}");
}

/// `12.3 s` since then.
pub fn since(start: Instant) -> String {
    format!("{:.1} s", start.elapsed().as_secs_f64())
}

pub fn signal_group(child: &Child, signal: Signal) {
    // An error here means that the group is gone, which is what was wanted.
    let _ = killpg(pid(child.id()), signal);
}

pub fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap_or(i32::MAX))
}

/// Held by each test that starts processes, or minds others that do: one of these ends all that this
/// process has started.
#[cfg(test)]
pub static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn wait(command: &mut Command) -> Result<ExitStatus> {
    let mut child = command
        .spawn()
        .with_context(|| format!("`{}` does not start", shown(command)))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stopping() {
            signal_group(
                &child,
                if forced() {
                    Signal::SIGKILL
                } else {
                    Signal::SIGTERM
                },
            );
        }
        thread::sleep(Duration::from_millis(10));
    };
    ensure!(!stopping(), "stopped");
    Ok(status)
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
