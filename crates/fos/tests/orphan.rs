//! fos whose pulse has died, in a network of its own. Needs root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{fcntl, FcntlArg, FdFlag};
use nix::sched::{unshare, CloneFlags};
use nix::unistd::pipe;

const PATIENCE: Duration = Duration::from_secs(20);

fn run(line: &str) -> String {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn holds_vip() -> bool {
    run("ip -4 -o addr show dev d0").contains("10.0.0.100/24")
}

/// A fos, and the end of its lifeline that its pulse would hold.
fn start(config: &str) -> (Child, OwnedFd) {
    let (theirs, ours) = pipe().unwrap();
    fcntl(&ours, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fos"));
    command.args(["--nodaemon", "--active", "-c", config]).stdin(Stdio::null()).stdout(Stdio::null());
    command.env("PIRANHA_LIFELINE_FD", theirs.as_raw_fd().to_string());
    (command.spawn().unwrap(), ours)
}

/// Leaves a process no number for a further descriptor.
fn use_up_descriptors(pid: u32) {
    let is_open = |number: &u32| fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
    let limit = (0..).find(|number| !is_open(number)).unwrap();
    run(&format!("prlimit --pid={pid} --nofile={limit}:"));
}

fn the_addresses_go() {
    unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
    for line in [
        "ip link add name d0 type veth peer name e0",
        "ip link set d0 up",
        "ip addr add 10.0.0.1/24 dev d0",
        "ip addr add 10.0.0.100/24 dev d0 label d0:1",
    ] {
        run(line);
    }
    let directory = std::env::temp_dir().join(format!("fos-orphan-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (config, up) = (path("lvs.cf"), path("up"));
    let text = format!(
        "service = fos\nprimary = 10.0.0.1\nbackup = 10.0.0.2\nfailover web {{\naddress = 10.0.0.100 d0:1\n\
         vip_nmask = 255.255.255.0\nactive = 1\nstart_cmd = \"/bin/touch {up}\"\nstop_cmd = \"/bin/rm -f {up}\"\n}}\n"
    );
    fs::write(&config, text).unwrap();
    let (mut fos, lifeline) = start(&config);
    wait_until("the service starts", || fs::metadata(&up).is_ok());
    // The command that has started it is collected then.
    wait_until("it is idle", || children(fos.id()).is_empty());
    use_up_descriptors(fos.id());
    drop(lifeline);
    wait_until("the address goes", || !holds_vip());
    run(&format!("prlimit --pid={} --nofile=256:", fos.id()));
    assert!(fos.wait().unwrap().success());
    assert!(fs::metadata(&up).is_err(), "the service is stopped");
    fs::remove_dir_all(directory).unwrap();
}

fn children(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap()
}

#[test]
fn the_addresses_of_a_dead_pulse_go_without_a_descriptor_to_spare() {
    // Another thread has another network.
    std::thread::spawn(the_addresses_go).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
