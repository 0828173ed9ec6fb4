//! The processes of the running system: started, watched, ended.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::process;

/// How long a process has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Ends the groups whose ids it is told, once nobody is there any more to end them in order: its
/// input closes when xtask dies, however that happens.
const WATCHDOG: &str = "while read -r id; do all=\"$all -$id\"; done; \
     kill -s TERM -- $all; sleep 5; kill -s KILL -- $all";

pub struct System {
    services: Vec<Service>,
    watchdog: Child,
    watchdog_input: ChildStdin,
    /// Set once everything serves: from then on the terminal shows what the workers say.
    talking: Arc<AtomicBool>,
}

struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl System {
    pub fn new(mut shell: Command) -> Result<Self> {
        adopt_orphans()?;
        let mut watchdog = shell
            .args(["-c", WATCHDOG])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("sh does not start")?;
        let watchdog_input = watchdog.stdin.take().context("sh has no input")?;
        Ok(Self {
            services: Vec::new(),
            watchdog,
            watchdog_input,
            talking: Arc::default(),
        })
    }

    /// Starts a program whose output goes to `log`, and to the terminal as far as `shown` has
    /// something of a line.
    pub fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
        log: PathBuf,
        shown: fn(&str) -> Option<&str>,
    ) -> Result<()> {
        let (reader, writer) = std::io::pipe()?;
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command.stdout(writer.try_clone()?).stderr(writer).spawn();
        // The command would hold on to the writing end, and the reader below never see the end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.with_context(|| format!("{name} does not start"))?;
        writeln!(self.watchdog_input, "{}", child.id()).context("the watchdog is gone")?;
        let talking = Arc::clone(&self.talking);
        thread::spawn(move || copy_lines(name, reader, file, &talking, shown));
        self.services.push(Service { name, child, log });
        Ok(())
    }

    pub fn talk(&self) {
        self.talking.store(true, Ordering::SeqCst);
    }

    /// An error if one of the processes has ended.
    pub fn check(&mut self) -> Result<()> {
        for service in &mut self.services {
            if let Some(status) = service.child.try_wait()? {
                let tail = process::tail(&service.log, 30);
                bail!(
                    "{} has ended ({status}); the end of {}:\n{tail}",
                    service.name,
                    service.log.display()
                );
            }
        }
        Ok(())
    }

    /// Every process of the system: our children (orphans of theirs included) and all their
    /// descendants.
    pub fn pids() -> Vec<u32> {
        let mut pids = vec![std::process::id()];
        let parents = parents();
        let mut next = 0;
        while let Some(parent) = pids.get(next).copied() {
            let children = parents.iter().filter(|(_, its)| *its == parent);
            pids.extend(children.map(|(pid, _)| *pid));
            next += 1;
        }
        pids.split_off(1)
    }

    /// Ends all of it: politely first, then (after [`GRACE`], or at a second Ctrl-C) not.
    pub fn end(mut self) -> Result<()> {
        self.talking.store(false, Ordering::SeqCst);
        let mut pids = Self::pids();
        pids.retain(|pid| *pid != self.watchdog.id());
        for service in &self.services {
            process::signal_group(&service.child, Signal::SIGTERM);
        }
        let start = Instant::now();
        while start.elapsed() < GRACE && !process::forced() && self.any_left(&pids) {
            thread::sleep(Duration::from_millis(20));
        }
        for pid in pids.iter().filter(|pid| alive(**pid)) {
            // It may end just now by itself.
            let _ = kill(process::pid(*pid), Signal::SIGKILL);
        }
        let start = Instant::now();
        while self.any_left(&pids) {
            if start.elapsed() > GRACE {
                let left: Vec<_> = pids.iter().filter(|pid| alive(**pid)).collect();
                bail!("these processes did not end: {left:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.watchdog.kill().context("cannot end the watchdog")?;
        self.watchdog
            .wait()
            .map(drop)
            .context("cannot end the watchdog")
    }

    fn any_left(&mut self, pids: &[u32]) -> bool {
        for service in &mut self.services {
            // Reaps it: an ended child that nobody waited for would still look alive.
            let _ = service.child.try_wait();
        }
        for pid in pids {
            // Fails for all but the orphans that are ours now.
            let _ = waitpid(process::pid(*pid), Some(WaitPidFlag::WNOHANG));
        }
        pids.iter().any(|pid| alive(*pid))
    }
}

/// What a child of ours leaves behind becomes our child, so that it is seen and waited for.
/// Elsewhere than on Linux it goes to the system's first process, which does that.
fn adopt_orphans() -> Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_child_subreaper(true).context("cannot adopt orphaned processes")?;
    Ok(())
}

fn copy_lines(
    name: &str,
    from: impl std::io::Read,
    mut log: File,
    talking: &AtomicBool,
    shown: fn(&str) -> Option<&str>,
) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        // A full disk must not stop the worker.
        let _ = log.write_all(&line);
        let text = String::from_utf8_lossy(&line);
        if let Some(text) = shown(text.trim_end()).filter(|_| talking.load(Ordering::SeqCst)) {
            let text = text.strip_prefix(name).map_or(text, str::trim_start);
            process::tell(name, text);
        }
        line.clear();
    }
}

/// Also true of one that has ended and was not waited for yet.
fn alive(pid: u32) -> bool {
    kill(process::pid(pid), None).is_ok()
}

/// Every process with its parent: from /proc, or from `ps` where there is none.
fn parents() -> Vec<(u32, u32)> {
    if Path::new("/proc/self/stat").exists() {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        return pids
            .filter_map(|pid: u32| {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                Some((pid, parent(&stat)?))
            })
            .collect();
    }
    let output = Command::new("ps")
        .args(["-axo", "pid=,ppid="])
        .output()
        .map(|output| output.stdout);
    let listing = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    let pair = |line: &str| {
        let (pid, parent) = line.trim().split_once(char::is_whitespace)?;
        Some((pid.parse().ok()?, parent.trim().parse().ok()?))
    };
    listing.lines().filter_map(pair).collect()
}

/// From `/proc/<pid>/stat`: `pid (name) state parent …`, where the name may contain anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_look_like_the_fields_after_it() {
        assert_eq!(parent("12 (a) Z 7 (b) S 34 12 0"), Some(34));
        assert_eq!(parent("nonsense"), None);
    }

    #[test]
    fn ending_the_system_ends_grandchildren_that_ignore_it() {
        let _alone = process::STARTING.lock().unwrap();
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.args(["-c", script]);
            command
        };
        let mut guard = Command::new("sh");
        std::os::unix::process::CommandExt::process_group(&mut guard, 0);
        let mut system = System::new(guard).unwrap();
        let log = std::env::temp_dir().join(format!("xtask-system-{}.log", std::process::id()));
        system
            .start("test", &mut shell("sleep 600 & wait"), log.clone(), |_| {
                None
            })
            .unwrap();
        let start = Instant::now();
        while System::pids().len() < 3 && start.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(10));
        }
        let pids = System::pids();
        assert_eq!(pids.len(), 3);
        system.end().unwrap();
        assert!(pids.into_iter().all(|pid| !alive(pid)));
        fs::remove_file(log).unwrap();
    }
}
