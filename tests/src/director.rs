//! A director: a host on which pulse, lvs and its nannies run.

use std::env;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::config::Config;
use crate::host::Host;
use crate::network::Network;
use crate::process::Process;
use crate::truth::{addresses, ipvs, Table};
use crate::wait::wait_until;

/// Where a director has its configuration.
pub(crate) const CONFIG: &str = "/etc/sysconfig/ha/lvs.cf";

/// The path of one of the daemons: in the directory `PIRANHA_BIN_DIR`, or in `release` of the target
/// directory to which the running program belongs.
pub fn daemon(name: &str) -> PathBuf {
    let directory = env::var_os("PIRANHA_BIN_DIR").map(PathBuf::from).unwrap_or_else(|| {
        let program = env::current_exe().expect("a path of this program");
        let profile = program.ancestors().find(|path| path.ends_with("debug") || path.ends_with("release"));
        profile.and_then(|path| path.parent()).expect("a target directory").join("release")
    });
    let path = directory.join(name);
    assert!(path.exists(), "no {}: build it with `cargo build --release`", path.display());
    path
}

/// One of the two directors.
#[derive(Debug)]
pub struct Director {
    /// The machine. Dropped first: then nothing on it reacts to the end of pulse.
    pub host: Host,
    pulse: Option<Process>,
}

impl Director {
    pub(crate) fn new(host: Host) -> Director {
        host.sysctl("net.ipv4.ip_forward", "1");
        host.sysctl("net.ipv4.conf.all.send_redirects", "0");
        Director { host, pulse: None }
    }

    /// The name in the journal.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Writes the director's `lvs.cf`.
    pub fn configure(&self, config: &Config) {
        self.host.write(CONFIG, &config.to_string());
    }

    /// Writes any text as the director's `lvs.cf`.
    pub fn configure_with(&self, text: &str) {
        self.host.write(CONFIG, text);
    }

    /// Starts `pulse -n` with these further options.
    pub fn start(&mut self, options: &[&str]) {
        let lvs = daemon("lvs");
        let mut arguments = vec!["-n", "-c", CONFIG, "--lvsd", lvs.to_str().expect("a printable path")];
        arguments.extend(options);
        self.host.journal().step(&format!("start pulse on {} {}", self.name(), options.join(" ")));
        self.pulse = Some(self.host.spawn(&daemon("pulse"), &arguments));
    }

    /// The running pulse. Panics if none was started.
    pub fn pulse(&mut self) -> &mut Process {
        let name = self.host.name();
        self.pulse.as_mut().unwrap_or_else(|| panic!("no pulse was started on {name}"))
    }

    /// Whether this is the process of the pulse that was started last.
    pub fn has_pulse(&self, pid: Pid) -> bool {
        self.pulse.as_ref().is_some_and(|pulse| pulse.pid() == pid)
    }

    /// Whether pulse runs.
    pub fn runs(&mut self) -> bool {
        self.pulse.as_mut().is_some_and(|pulse| pulse.status().is_none())
    }

    /// Stops pulse as its init script does and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.host.journal().step(&format!("stop pulse on {}", self.name()));
        self.pulse().signal(Signal::SIGTERM);
        let status = self.pulse().wait(Duration::from_secs(20));
        self.pulse = None;
        status
    }

    /// Writes a new configuration and tells pulse to read it.
    pub fn reload(&mut self, config: &Config) {
        self.configure(config);
        self.host.journal().step(&format!("reload on {}", self.name()));
        self.pulse().signal(Signal::SIGHUP);
    }

    /// Kills pulse and nothing else.
    pub fn kill_pulse(&mut self) {
        self.host.journal().step(&format!("kill -9 pulse on {}", self.name()));
        self.pulse().signal(Signal::SIGKILL);
        self.pulse().wait(Duration::from_secs(5));
        self.pulse = None;
    }

    /// The power goes: cables dead, all processes gone at once. Addresses and IPVS table are left over for
    /// the next start, which a real machine would not have.
    pub fn crash(&mut self, network: &Network) {
        self.host.journal().step(&format!("power cut on {}: kill -9 everything", self.name()));
        // Frozen first: a heartbeat sent into a dead cable would wait in the kernel and leave when it is back.
        self.host.freeze_all();
        for device in ["eth0", "eth1"] {
            network.unplug(&self.host, device);
        }
        self.host.kill_all();
        self.pulse = None;
    }

    /// The machine is back after [`Director::crash`], with or without what it had configured.
    pub fn reconnect(&self, network: &Network) {
        for device in ["eth0", "eth1"] {
            network.plug(&self.host, device);
        }
    }

    /// Removes what a reboot would have removed: floating addresses and the IPVS table.
    pub fn forget_everything(&self, floating: &[Ipv4Addr]) {
        for (label, address) in addresses(&self.host) {
            if floating.contains(&address) {
                let device = label.split(':').next().unwrap_or(&label);
                let prefix = self.prefix_of(address);
                self.host.exec(&format!("ip addr del {address}/{prefix} dev {device}"));
            }
        }
        self.host.exec("ipvsadm -C");
    }

    fn prefix_of(&self, address: Ipv4Addr) -> String {
        let listing = self.host.exec("ip -o -4 addr show");
        let start = format!(" {address}/");
        let rest = listing.split_once(&start).map(|(_, rest)| rest).unwrap_or("32");
        rest.chars().take_while(char::is_ascii_digit).collect()
    }

    /// Whether the director has this address.
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        addresses(&self.host).iter().any(|(_, held)| *held == address)
    }

    /// The IPVS table in the kernel.
    pub fn ipvs(&self) -> Table {
        ipvs(&self.host)
    }

    /// Waits for a line of the director's daemons that contains `part` and was written since `since`.
    pub fn wait_for_log(&self, since: Duration, part: &str, limit: Duration) -> Duration {
        let found = || self.host.journal().find(self.name(), since, part);
        wait_until(limit, &format!("{} logs {part:?}", self.name()), || found().is_some());
        found().map(|line| line.at).expect("it was found")
    }
}
