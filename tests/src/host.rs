//! A host: a network namespace, and a mount namespace in which `/run`, `/etc` and `/sys` are its own.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use nix::mount::{mount, MsFlags};
use nix::sched::{setns, unshare, CloneFlags};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use crate::journal::Journal;
use crate::process::Process;

/// A host's own disk: `/run`, and what is written below `/etc`.
pub(crate) const DISK: &str = "/run";

/// Its size, as options of a tmpfs.
pub(crate) const DISK_SIZE: &str = "size=256m,nr_inodes=65536";

type Job = Box<dyn FnOnce() + Send>;

/// A machine of the lab. Threads and processes that it starts live in its namespaces; all of its processes
/// are killed when it is dropped.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: String,
    journal: Journal,
    worker: Option<(Sender<Job>, JoinHandle<()>)>,
}

impl Host {
    /// Makes the namespace `namespace` (visible to `ip netns`) for a host that the journal calls `name`.
    pub(crate) fn new(name: &str, namespace: &str, journal: &Journal) -> Host {
        succeed(Command::new("ip").args(["netns", "add", namespace]));
        let (jobs, queue) = mpsc::channel::<Job>();
        let path = format!("/run/netns/{namespace}");
        let worker = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                enter(&path).unwrap_or_else(|error| panic!("cannot enter {path}: {error}"));
                for job in queue {
                    job();
                }
            })
            .expect("a thread");
        let host = Host {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            journal: journal.clone(),
            worker: Some((jobs, worker)),
        };
        host.exec("ip link set lo up");
        // No duplicate address detection and no router solicitations between the frames that matter.
        host.write_if_present("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        host
    }

    /// The name in the journal.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name for `ip netns exec`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The lab's journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Runs `job` in the host's namespaces and returns its result. Threads that it starts stay there.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = mpsc::channel();
        let job = move || {
            let _ = sender.send(catch_unwind(AssertUnwindSafe(job)));
        };
        let (jobs, _) = self.worker.as_ref().expect("a host has a worker until it is dropped");
        jobs.send(Box::new(job)).unwrap_or_else(|_| panic!("{} has no namespace", self.name));
        match receiver.recv().unwrap_or_else(|_| panic!("{} has no namespace", self.name)) {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Runs a command line (split at blanks, no quoting) on the host and returns its output. Panics when it
    /// fails.
    pub fn exec(&self, line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        self.run(move || succeed(Command::new(&words[0]).args(&words[1..])))
    }

    /// The same, but whether it fails does not matter.
    pub fn try_exec(&self, line: &str) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        self.run(move || {
            let _ = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).output();
        });
    }

    /// Runs a batch of `ip` commands (without the word `ip`), which is much faster than one by one.
    pub fn ip(&self, commands: &[String]) {
        let batch = commands.join("\n") + "\n";
        self.run(move || {
            let mut child = Command::new("ip")
                .args(["-batch", "-"])
                .stdin(Stdio::piped())
                .spawn()
                .expect("ip can be started");
            io::Write::write_all(&mut child.stdin.take().expect("a pipe"), batch.as_bytes()).expect("a pipe");
            let status = child.wait().expect("ip is a child");
            assert!(status.success(), "ip -batch failed on:\n{batch}");
        });
    }

    /// Writes a file as the host sees it, with its directories. `/run` and `/etc` belong to this host alone.
    pub fn write(&self, path: &str, content: &str) {
        self.try_write(path, content).unwrap_or_else(|error| panic!("cannot write {path}: {error}"));
    }

    /// The same on a disk that may be full: then the file may be missing, empty or cut off.
    pub fn try_write(&self, path: &str, content: &str) -> io::Result<()> {
        let (path, content) = (path.to_owned(), content.to_owned());
        self.run(move || {
            fs::create_dir_all(Path::new(&path).parent().expect("an absolute path"))
                .and_then(|()| fs::write(&path, content))
        })
    }

    /// Reads a file as the host sees it, or says that it cannot be read.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let path = path.to_owned();
        self.run(move || fs::read_to_string(path))
    }

    /// Writes a setting such as `net.ipv4.ip_forward`.
    pub fn sysctl(&self, name: &str, value: &str) {
        self.write(&format!("/proc/sys/{}", name.replace('.', "/")), value);
    }

    fn write_if_present(&self, path: &'static str, content: &'static str) {
        self.run(move || Path::new(path).exists().then(|| fs::write(path, content)));
    }

    /// Starts a program on the host; the lines that it prints go to the journal.
    pub fn spawn(&self, program: &Path, arguments: &[&str]) -> Process {
        let mut command = Command::new(program);
        command.args(arguments);
        let (name, journal) = (self.name.clone(), self.journal.clone());
        self.run(move || Process::start(command, &name, &journal))
    }

    /// Adds an address to a device.
    pub fn add_address(&self, device: &str, address: Ipv4Addr, prefix: u8) {
        self.exec(&format!("ip addr add {address}/{prefix} dev {device}"));
    }

    /// The processes in the host's network namespace.
    pub fn processes(&self) -> Vec<Pid> {
        let Ok(own) = fs::metadata(format!("/run/netns/{}", self.namespace)).map(|meta| meta.ino()) else {
            return Vec::new();
        };
        let lives_here = |pid: &i32| {
            fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|namespace| namespace.ino() == own)
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(lives_here).map(Pid::from_raw).collect()
    }

    /// The processes of the host whose name (`/proc/PID/comm`) is `name`.
    pub fn processes_named(&self, name: &str) -> Vec<Pid> {
        let is_named = |pid: &Pid| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        self.processes().into_iter().filter(is_named).collect()
    }

    /// Stops every process of the host where it is.
    pub fn freeze_all(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Kills every process of the host without warning, as a power cut does.
    pub fn kill_all(&self) {
        // First all of them stop, so that none reacts to the death of another.
        self.freeze_all();
        self.signal_all(Signal::SIGKILL);
    }

    fn signal_all(&self, signal: Signal) {
        for pid in self.processes() {
            let _ = kill(pid, signal);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill_all();
        if let Some((jobs, worker)) = self.worker.take() {
            drop(jobs);
            let _ = worker.join();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

/// Moves the calling thread into the network namespace at `path` and a mount namespace of its own.
fn enter(path: &str) -> io::Result<()> {
    setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)?;
    mount(Some("tmpfs"), DISK, Some("tmpfs"), MsFlags::empty(), Some(DISK_SIZE))?;
    for directory in ["/run/lock", "/run/etc-new", "/run/etc-work"] {
        fs::create_dir(directory)?;
    }
    let layers = "lowerdir=/etc,upperdir=/run/etc-new,workdir=/run/etc-work";
    mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(layers))?;
    Ok(())
}

/// Runs a command to its end and returns its output. Panics with its error text when it fails.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
