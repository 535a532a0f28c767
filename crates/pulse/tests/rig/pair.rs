//! Directors in network namespaces, with a gateway between them, and a script in the place of lvs or fos.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};

use nix::sched::{unshare, CloneFlags};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use super::{wait_until, write_script, PATIENCE};

/// The address that the active one holds.
pub const VIP: &str = "10.0.0.100/24";

pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn words(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

/// Files of a test, and the namespace of the calling thread as the gateway 10.0.0.254 of a switch.
pub struct Site(PathBuf);

impl Site {
    pub fn new(test: &str, config: &str, script: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pulse-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let site = Self(path);
        site.configure(config);
        write_script(&site.path("child"), script);
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
        succeed(&mut words("ip link add switch type bridge"));
        succeed(&mut words("ip addr add 10.0.0.254/24 dev switch"));
        succeed(&mut words("ip link set switch up"));
        site
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes lvs.cf.
    pub fn configure(&self, config: &str) {
        std::fs::write(self.path("lvs.cf"), config).unwrap();
    }

    pub fn record(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("record")).unwrap_or_default();
        text.lines().map(|line| line.replace(&self.path(""), "")).collect()
    }

    /// Waits until fos or lvs has said this so often.
    pub fn recorded(&self, line: &str, times: usize) {
        wait_until(line, || self.record().iter().filter(|found| *found == line).count() >= times);
    }

    /// Makes the fos of a node end by itself.
    pub fn fail(&self, node: &str) {
        std::fs::write(self.path(&format!("{node}.fail")), "").unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A director in a namespace of its own, which goes with it.
pub struct Node {
    name: &'static str,
    namespace: Child,
    pub pulse: Option<Child>,
    lines: Option<Receiver<String>>,
}

impl Node {
    pub fn new(name: &'static str, address: &str) -> Self {
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

    pub fn command(&self, line: &str) -> Command {
        words(&format!("nsenter --net --target {} {line}", self.namespace.id()))
    }

    pub fn run(&self, line: &str) -> String {
        succeed(&mut self.command(line))
    }

    /// Starts pulse with these options.
    pub fn start(&mut self, site: &Site, options: &str) {
        self.start_by(site, "", options);
    }

    /// The same by way of a program that changes something about the process.
    pub fn start_by(&mut self, site: &Site, by: &str, options: &str) {
        let (program, child) = (env!("CARGO_BIN_EXE_pulse"), site.path("child"));
        let files = format!("-c {} --fos {child} --lvsd {child}", site.path("lvs.cf"));
        let mut command = self.command(&format!("{by} {program} -n {files} {options}"));
        command.env("NODE", self.name).env("SITE", &site.0);
        let mut pulse = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(pulse.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        (self.pulse, self.lines) = (Some(pulse), Some(lines));
    }

    /// Waits for this line, whatever comes before it, which is the answer.
    pub fn logs(&self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.lines.as_ref().unwrap().recv_timeout(PATIENCE) {
                Ok(line) if line == format!("pulse: {wanted}") => return before,
                Ok(line) => before.push(line),
                Err(_) => panic!("{}: {wanted:?} is missing after {before:#?}", self.name),
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pulse.as_ref().unwrap().id() as i32), signal).unwrap();
    }

    pub fn holds_vip(&self) -> bool {
        self.run("ip -o -4 addr show").contains(VIP)
    }

    /// Waits for the end of pulse; its exit status.
    pub fn status(&mut self) -> Option<i32> {
        self.pulse.as_mut().unwrap().wait().unwrap().code()
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
