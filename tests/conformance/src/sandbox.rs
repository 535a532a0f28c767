//! A place for one row: a network, pid files, semaphores and a syslog of its own.

use crate::streams::PATIENCE;
use nix::mount::{mount, MsFlags};
use nix::sched::{unshare, CloneFlags};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Devices that programs need.
const DEVICES: [&str; 4] = ["null", "zero", "random", "urandom"];

/// A place for one row. The thread that made it, and what it starts, lives there. At the end everything that
/// runs in there is killed.
pub struct Sandbox {
    /// A directory for files, removed at the end.
    pub directory: PathBuf,
    /// The syslog: what is sent to `/dev/log`.
    pub syslog: UnixDatagram,
    network: PathBuf,
}

impl Sandbox {
    /// Moves this thread into a new place. Needs root.
    ///
    /// # Panics
    /// If that is not allowed.
    #[must_use]
    pub fn enter() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("conformance-{}-{number}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("namespaces need root");
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        let syslog = private_devices(&directory);
        mount(nothing, "/run", Some("tmpfs"), MsFlags::empty(), nothing).unwrap();
        run("ip link set lo up");
        let network = fs::read_link("/proc/thread-self/ns/net").unwrap();
        Self { directory, syslog, network }
    }

    /// Writes an executable shell script; its path.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        // Written by another process: while this one had the file open for writing, a fork in another thread could
        // hold on to it, and the script could not be executed ("Text file busy").
        let mut writer = Command::new("sh");
        writer.args(["-c", r#"cat > "$0" && chmod 755 "$0""#]).arg(&path).stdin(Stdio::piped());
        let mut writer = writer.spawn().unwrap();
        write!(writer.stdin.take().unwrap(), "#!/bin/sh\n{text}\n").unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    /// Nothing can be written to `/run` any more.
    ///
    /// # Panics
    /// If that is not allowed.
    pub fn make_run_read_only(&self) {
        let nothing = None::<&str>;
        mount(nothing, "/run", nothing, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, nothing).unwrap();
    }

    /// Waits until nothing runs in here any more.
    ///
    /// # Errors
    /// What still runs when patience is at its end.
    pub fn wait_until_empty(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("still there: {left:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The processes in here, with their command lines. Zombies have none and are left out.
    #[must_use]
    pub fn processes(&self) -> Vec<(Pid, Vec<String>)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let here =
                fs::read_link(entry.path().join("ns/net")).is_ok_and(|network| network == self.network);
            if here && Pid::from_raw(pid) != Pid::this() {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let words =
                    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
                let mut words: Vec<_> = words.collect();
                words.pop();
                if !words.is_empty() {
                    found.push((Pid::from_raw(pid), words));
                }
            }
        }
        found
    }
}

/// A `/dev` with the few devices that are needed, an empty `/dev/shm` and a `/dev/log`.
fn private_devices(directory: &Path) -> UnixDatagram {
    let nothing = None::<&str>;
    let devices = directory.join("dev");
    fs::create_dir(&devices).unwrap();
    mount(nothing, &devices, Some("tmpfs"), MsFlags::empty(), nothing).unwrap();
    for name in DEVICES {
        fs::write(devices.join(name), "").unwrap();
        mount(Some(&Path::new("/dev").join(name)), &devices.join(name), nothing, MsFlags::MS_BIND, nothing)
            .unwrap();
    }
    fs::create_dir(devices.join("shm")).unwrap();
    let syslog = UnixDatagram::bind(devices.join("log")).unwrap();
    syslog.set_nonblocking(true).unwrap();
    mount(Some(&devices), "/dev", nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing).unwrap();
    syslog
}

/// Runs a command of words.
///
/// # Panics
/// If it fails.
pub fn run(line: &str) {
    let mut words = line.split_whitespace();
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{line}");
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A process may start another while we look.
        for _ in 0..10 {
            let processes = self.processes();
            if processes.is_empty() {
                break;
            }
            for (pid, _) in processes {
                let _ = kill(pid, Signal::SIGKILL);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = nix::mount::umount2(&self.directory.join("dev"), nix::mount::MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.directory);
    }
}
