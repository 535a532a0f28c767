//! Row 10: what a director costs that has nothing to do. Runs on the machine's own kernel, whose accounting is
//! exact; so there is no IPVS here, and the services have no real servers.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use testbed::{addresses, daemon, wait_until, Host, Network, Process};

use crate::figure::{Figure, Series};
use crate::keepalived;
use crate::meter::processor_time;
use crate::pair::Suite;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const LIMIT: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);

/// Heartbeats each second, one VIP. Milliseconds of processor time in a minute.
pub fn measure(_runs: usize) -> Vec<Figure> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("  row 10 makes network namespaces, which root alone may do: left out");
        return Vec::new();
    }
    let [ours, peer] = [Suite::Ours, Suite::Keepalived].map(idle_minute);
    let figure = |what: &str, at: usize| {
        let of = |used: &[f64]| Series::once(used[at]);
        Figure::new(10, what, "ms/min", of(&ours)).beside("keepalived", of(&peer))
    };
    vec![figure("idle active director", 0), figure("idle standby", 1)]
}

fn idle_minute(suite: Suite) -> Vec<f64> {
    let network = Network::default();
    network.add_switch("public");
    let hosts = [("a", 1), ("b", 2)].map(|(name, number)| {
        let host = network.add_host(name);
        network.connect(&host, "eth0", "public", Ipv4Addr::new(10, 0, 0, number), 24);
        host
    });
    let _running: Vec<Process> = hosts
        .iter()
        .map(|host| {
            let process = start(suite, host);
            wait_until(LIMIT, "a serves", || holds(&hosts[0]));
            process
        })
        .collect();
    // Five rounds of announcements, a second apart, are no idle time.
    thread::sleep(Duration::from_secs(10));
    assert!(!holds(&hosts[1]), "b is standby");
    let used = || hosts.each_ref().map(time_of);
    let before = used();
    thread::sleep(MINUTE);
    let after = used();
    let of = |(after, before): (&Duration, &Duration)| 1000.0 * (*after - *before).as_secs_f64();
    let spent = after.iter().zip(&before).map(of).collect();
    eprintln!("  {suite:?}: {spent:.2?}");
    spent
}

fn start(suite: Suite, host: &Host) -> Process {
    if suite == Suite::Keepalived {
        let priority = if host.name() == "a" { 150 } else { 100 };
        keepalived::Config::default().vrrp(priority, &[format!("{VIP}/24 dev eth0")], &[]).write(host);
        return keepalived::start(host, &["-P"]);
    }
    host.write("/etc/sysconfig/ha/lvs.cf", LVS_CF);
    let lvs = daemon("lvs");
    let mut arguments = vec!["-n", "--lvsd", lvs.to_str().expect("a printable path")];
    arguments.extend((host.name() == "a").then_some("--forceactive"));
    host.spawn(&daemon("pulse"), &arguments)
}

/// `ipvsadm` is a program that does nothing: there is no table.
const LVS_CF: &str = "serial_no = 1
primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
service = lvs
heartbeat = 1
keepalive = 1
deadtime = 3
ipvsadm = /bin/true
virtual web {
    active = 1
    address = 10.0.0.50 eth0:1
    port = 80
}
";

fn holds(host: &Host) -> bool {
    addresses(host).iter().any(|(_, address)| *address == VIP)
}

fn time_of(host: &Host) -> Duration {
    host.processes().iter().map(|pid| processor_time(pid.as_raw() as u32)).sum()
}
