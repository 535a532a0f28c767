//! One pulse on the loopback of a network of its own, and the address of its partner, where the test listens.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{unshare, CloneFlags};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::{wait_until, write_script, PATIENCE};

/// In the place of lvs: notes HUP, ends at TERM, and when the test has.
const LVS: &str = r#"
trap 'exit 0' TERM
trap 'echo HUP >>"$0.log"' HUP
while [ -e "$0" ]; do sleep 0.05; done
"#;

/// The files of a test, its pulse, and its partner.
pub struct Lone {
    directory: PathBuf,
    partner: UdpSocket,
    pulse: Option<Child>,
}

impl Lone {
    /// Nothing runs yet; the calling thread is in the network.
    pub fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("pulse-{test}-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        let partner = UdpSocket::bind("127.0.0.2:539").unwrap();
        partner.set_read_timeout(Some(PATIENCE)).unwrap();
        let lone = Self { directory, partner, pulse: None };
        lone.script("lvs", LVS);
        lone
    }

    pub fn script(&self, name: &str, text: &str) {
        write_script(&self.path(name), text);
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A configuration with this virtual address, and these lines.
    pub fn config(&self, vip: &str, lines: &str) -> String {
        format!(
            "primary = 127.0.0.1\nbackup = 127.0.0.2\nbackup_active = 1\nkeepalive = 1\ndeadtime = 2\n{lines}\n\
             virtual web {{\n active = 1\n address = {vip} lo:1\n port = 80\n}}\n"
        )
    }

    pub fn configure(&self, vip: &str, lines: &str) {
        std::fs::write(self.path("lvs.cf"), self.config(vip, lines)).unwrap();
    }

    pub fn start(&mut self, arguments: &[&str]) {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_pulse")), arguments);
    }

    /// Starts a pulse that may not change addresses.
    pub fn start_powerless(&mut self, arguments: &[&str]) {
        let mut command = Command::new("setpriv");
        let without = ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
        command.args(without).arg(env!("CARGO_BIN_EXE_pulse"));
        self.start_by(command, arguments);
    }

    fn start_by(&mut self, mut command: Command, arguments: &[&str]) {
        let log = std::fs::File::create(self.path("log")).unwrap();
        command.args(["-n", "-c", &self.path("lvs.cf"), "--lvsd", &self.path("lvs")]).args(arguments);
        self.pulse = Some(command.stdin(Stdio::null()).stdout(log).spawn().unwrap());
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pulse.as_ref().unwrap().id() as i32), signal).unwrap();
    }

    /// Pulse can open nothing more.
    pub fn exhaust_descriptors(&self) {
        let pid = self.pulse.as_ref().unwrap().id();
        let is_open = |number: &u64| Path::new(&format!("/proc/{pid}/fd/{number}")).is_symlink();
        self.limit_descriptors((0..).find(|number| !is_open(number)).unwrap());
    }

    /// How many descriptors pulse may have open from now on.
    pub fn limit_descriptors(&self, count: u64) {
        let pid = self.pulse.as_ref().unwrap().id().to_string();
        let limit = format!("--nofile={count}:4096");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Waits for pulse's end.
    pub fn ended(&mut self) -> ExitStatus {
        let pulse = self.pulse.as_mut().unwrap();
        let mut status = None;
        wait_until("the end of pulse", || {
            status = pulse.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Heartbeats that come within the next seconds.
    pub fn heartbeats(&self, seconds: u64) -> usize {
        let end = Instant::now() + Duration::from_secs(seconds);
        self.partner.set_nonblocking(true).unwrap();
        let mut count = 0;
        while Instant::now() < end {
            count += usize::from(self.partner.recv(&mut [0; 16]).is_ok());
            std::thread::sleep(Duration::from_millis(1));
        }
        count
    }

    /// Waits for the next heartbeat; its word, as a number.
    pub fn word(&self) -> u32 {
        let mut datagram = [0; 16];
        self.partner.set_nonblocking(false).unwrap();
        self.partner.recv(&mut datagram).expect("a heartbeat");
        u32::from_ne_bytes(datagram[..4].try_into().unwrap())
    }

    pub fn holds(&self, address: &str) -> bool {
        let output = Command::new("ip").args(["-o", "-4", "addr", "show", "dev", "lo"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains(&format!(" {address}/"))
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        if let Some(pulse) = &mut self.pulse {
            let _ = pulse.kill();
            let _ = pulse.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
