//! Two directors with `service = fos` in network namespaces, and a gateway between them. A script in the place of
//! fos records what it is started for, and ends when it is told to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use nix::sched::{unshare, CloneFlags};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

/// Longer than anything here takes, short enough for somebody who waits.
const PATIENCE: Duration = Duration::from_secs(20);

const VIP: &str = "10.0.0.100/24";

const CONFIG: &str = "
service = fos
primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
keepalive = 1
deadtime = 2
failover web {
    active = 1
    address = 10.0.0.100 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
}
";

/// In the place of fos: ends with status 0 at TERM, or when the file NODE.fail is there.
const FOS: &str = r#"
record() { echo "$NODE $*" >>"$SITE/record"; }
record "$@"
trap 'record end "$1"; exit 0' TERM
while [ -d "$SITE" ]; do
    if [ -e "$SITE/$NODE.fail" ]; then rm "$SITE/$NODE.fail"; exit 0; fi
    sleep 0.01
done
"#;

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn words(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Files of a test, and the namespace of the calling thread as the gateway 10.0.0.254 of a switch.
struct Site(PathBuf);

impl Site {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pulse-fos-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let site = Self(path);
        std::fs::write(site.path("lvs.cf"), CONFIG).unwrap();
        // Another process writes it: a file that this one had open, a child of another test might still have open,
        // and then it cannot be executed.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod 755 "$2""#;
        succeed(Command::new("sh").args(["-c", write, "sh", FOS, &site.path("fos")]));
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
        succeed(&mut words("ip link add switch type bridge"));
        succeed(&mut words("ip addr add 10.0.0.254/24 dev switch"));
        succeed(&mut words("ip link set switch up"));
        site
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn record(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("record")).unwrap_or_default();
        text.lines().map(|line| line.replace(&self.path(""), "")).collect()
    }

    /// Waits until fos has said this so often.
    fn recorded(&self, line: &str, times: usize) {
        wait_until(line, || self.record().iter().filter(|found| *found == line).count() >= times);
    }

    /// Makes the fos of a node end by itself.
    fn fail(&self, node: &str) {
        std::fs::write(self.path(&format!("{node}.fail")), "").unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A director in a namespace of its own, which goes with it.
struct Node {
    name: &'static str,
    namespace: Child,
    pulse: Option<Child>,
    lines: Option<Receiver<String>>,
}

impl Node {
    fn new(name: &'static str, address: &str) -> Self {
        let mut command = words("unshare --net cat");
        let mut namespace = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // What cat repeats proves that it lives in its namespace.
        std::io::Write::write_all(namespace.stdin.as_mut().unwrap(), b"x").unwrap();
        namespace.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let node = Self { name, namespace, pulse: None, lines: None };
        let pid = node.namespace.id();
        succeed(&mut words(&format!("ip link add name {name} type veth peer name eth0 netns {pid}")));
        succeed(&mut words(&format!("ip link set dev {name} master switch up")));
        node.run(&format!("ip addr add {address}/24 dev eth0"));
        node.run("ip link set lo up");
        node.run("ip link set eth0 up");
        node.run("ip route add default via 10.0.0.254");
        node
    }

    fn command(&self, line: &str) -> Command {
        words(&format!("nsenter --net --target {} {line}", self.namespace.id()))
    }

    fn run(&self, line: &str) -> String {
        succeed(&mut self.command(line))
    }

    fn start(&mut self, site: &Site) {
        let program = env!("CARGO_BIN_EXE_pulse");
        let mut command =
            self.command(&format!("{program} -n -c {} --fos {}", site.path("lvs.cf"), site.path("fos")));
        command.env("NODE", self.name).env("SITE", &site.0);
        let mut pulse = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(pulse.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        (self.pulse, self.lines) = (Some(pulse), Some(lines));
    }

    /// Waits for this line, whatever comes before it.
    fn logs(&self, wanted: &str) {
        let mut before = Vec::new();
        loop {
            match self.lines.as_ref().unwrap().recv_timeout(PATIENCE) {
                Ok(line) if line == format!("pulse: {wanted}") => return,
                Ok(line) => before.push(line),
                Err(_) => panic!("{}: {wanted:?} is missing after {before:#?}", self.name),
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pulse.as_ref().unwrap().id() as i32), signal).unwrap();
    }

    fn holds_vip(&self) -> bool {
        self.run("ip -o -4 addr show dev eth0").contains(VIP)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in [self.pulse.as_mut(), Some(&mut self.namespace)].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A running pair: the primary serves, the backup monitors.
fn pair(test: &str) -> (Site, Node, Node) {
    let site = Site::new(test);
    let mut a = Node::new("a", "10.0.0.1");
    let mut b = Node::new("b", "10.0.0.2");
    a.start(&site);
    a.logs("STARTING PULSE AS MASTER");
    a.logs("Starting Failover Service Monitors");
    a.logs("partner dead: activating failover services");
    b.start(&site);
    b.logs("STARTING PULSE AS BACKUP");
    b.logs("Starting Failover Service Monitors");
    site.recorded("b --monitor -c lvs.cf --nodaemon", 1);
    site.recorded("a --active -c lvs.cf --nodaemon", 1);
    assert!(a.holds_vip());
    (site, a, b)
}

#[test]
fn a_lone_node_serves_after_deadtime_and_a_second_one_monitors() {
    let (site, a, b) = pair("start");
    assert!(!b.holds_vip());
    let record = site.record();
    let of_a: Vec<_> = record.iter().filter(|line| line.starts_with("a ")).take(2).collect();
    assert_eq!(of_a, ["a --monitor -c lvs.cf --nodaemon", "a end --monitor"]);
    a.logs("gratuitous fos arps finished");
}

#[test]
fn a_silent_partner_is_replaced() {
    let (site, a, b) = pair("silence");
    succeed(&mut words("ip link set dev a down"));
    a.signal(Signal::SIGKILL);
    b.logs("partner dead: activating failover services");
    site.recorded("b end --monitor", 1);
    site.recorded("b --active -c lvs.cf --nodaemon", 1);
    assert!(b.holds_vip());
}

#[test]
fn services_that_do_not_answer_are_taken_over_when_the_gateway_does() {
    let (site, a, b) = pair("stopme");
    site.fail("b");
    b.logs("fos process exited -- checking network connectivity");
    b.logs("remote service unavailable but we can see the gateway");
    b.logs("seems like a remote network fault; performing service failover");
    b.logs("Notifying partner WE are taking control!");
    a.logs("PARTNER HAS TOLD US TO GO INACTIVE!");
    site.recorded("a end --active", 1);
    site.recorded("a --monitor -c lvs.cf --nodaemon", 2);
    site.recorded("b --active -c lvs.cf --nodaemon", 1);
    assert!(b.holds_vip() && !a.holds_vip());
}

#[test]
fn without_a_gateway_it_is_the_standbys_own_fault() {
    let (site, a, b) = pair("fault");
    b.run("ip route del default");
    site.fail("b");
    b.logs("fos process exited -- checking network connectivity");
    b.logs("remote service unavailable; gateway unavailable");
    b.logs("I SEEM TO HAVE A NETWORK FAULT!");
    b.logs("Network fault seems to be fixed");
    site.recorded("b --monitor -c lvs.cf --nodaemon", 2);
    assert!(a.holds_vip() && !b.holds_vip());
}

#[test]
fn a_planned_stop_hands_over_when_the_services_are_stopped() {
    let (site, mut a, b) = pair("stop");
    // Both must have heard each other, or the stop cannot be told from a start.
    a.signal(Signal::SIGTERM);
    a.logs("Terminating due to signal 15");
    b.logs("primary inactive: activating fos");
    site.recorded("b --active -c lvs.cf --nodaemon", 1);
    assert!(a.pulse.as_mut().unwrap().wait().unwrap().success());
    assert!(b.holds_vip() && !a.holds_vip());
    let record = site.record();
    let at = |line: &str| record.iter().position(|found| found == line);
    assert!(at("a end --active") < at("b end --monitor"), "{record:?}");
}

#[test]
fn services_that_end_are_started_again() {
    let (site, a, b) = pair("restart");
    site.fail("a");
    a.logs("fos process exited -- restarting it");
    site.recorded("a --active -c lvs.cf --nodaemon", 2);
    assert!(a.holds_vip() && !b.holds_vip());
}

#[test]
fn a_reload_exchanges_services_and_addresses() {
    let (site, a, _b) = pair("reload");
    let changed = CONFIG.replace("10.0.0.100", "10.0.0.101");
    std::fs::write(site.path("lvs.cf"), changed).unwrap();
    a.signal(Signal::SIGHUP);
    site.recorded("a --active -c lvs.cf --nodaemon", 2);
    assert!(!a.holds_vip() && a.run("ip -o -4 addr show dev eth0").contains("10.0.0.101/24"));
    // What does not concern the services leaves them alone, and so does another kind of service.
    std::fs::write(site.path("lvs.cf"), CONFIG.replace("fos", "lvs")).unwrap();
    a.signal(Signal::SIGHUP);
    a.logs("service has changed: it is taken over at the next start");
    assert_eq!(site.record().iter().filter(|line| line.starts_with("a --active")).count(), 2);
}

#[test]
fn a_test_start_tells_both_tasks_and_changes_nothing() {
    let site = Site::new("plan");
    let node = Node::new("a", "10.0.0.1");
    let program = env!("CARGO_BIN_EXE_pulse");
    let plan = node.run(&format!("{program} -t -c {} --fos /opt/fos", site.path("lvs.cf")));
    let lines: Vec<String> = plan.lines().map(|line| line.replace(&site.path(""), "")).collect();
    assert_eq!(
        lines,
        [
            "pulse: STARTING PULSE AS MASTER",
            "pulse: heartbeats from 10.0.0.1:539 to 10.0.0.2:539",
            "pulse: when active: 10.0.0.100/24 on eth0:1",
            "pulse: when active: /opt/fos --active -c lvs.cf --nofork",
            "pulse: when not: /opt/fos --monitor -c lvs.cf --nofork",
        ]
    );
    assert!(!node.holds_vip());
    assert_eq!(site.record(), Vec::<String>::new());
}
