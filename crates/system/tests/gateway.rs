//! The default gateway of a network namespace, and whether it answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

mod common;

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use common::{cable, enter_namespace, ip};
use system::gateway::{self, Check, PATIENCE, TRIES};
use system::poll;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

/// A host at the far end of the cable, in a namespace of its own; it goes when this is dropped.
struct Router(Child);

impl Router {
    /// Ends when its standard input is closed, so it cannot outlive the test.
    fn start() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo ready; read line"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let router = Self(child);
        ip(&format!("link set dev b netns {}", router.0.id()));
        router.ip("link set dev b up");
        router.ip(&format!("addr add {GATEWAY}/24 dev b"));
        router
    }

    fn ip(&self, arguments: &str) {
        let target = self.0.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &target, "ip"]).args(arguments.split_whitespace());
        assert!(command.status().unwrap().success(), "ip {arguments}");
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Drives a check with the real clock.
fn answers(gateway: Ipv4Addr) -> bool {
    let mut check = Check::start(gateway, system::clock::now()).unwrap();
    loop {
        if let Some(answer) = check.proceed(system::clock::now()) {
            return answer;
        }
        let left = check.next_deadline().saturating_sub(system::clock::now());
        poll::wait(&[check.fd()], Some(left)).unwrap();
    }
}

#[test]
fn the_gateway_is_that_of_the_lowest_metric() {
    enter_namespace();
    assert_eq!(gateway::find().unwrap(), None);
    cable();
    ip("addr add 10.0.0.1/24 dev a");
    assert_eq!(gateway::find().unwrap(), None);
    ip("route add default via 10.0.0.253 metric 20");
    assert_eq!(gateway::find().unwrap(), Some(Ipv4Addr::new(10, 0, 0, 253)));
    ip(&format!("route add default via {GATEWAY} metric 10"));
    assert_eq!(gateway::find().unwrap(), Some(GATEWAY));
    ip("route flush default");
    ip("route add default nexthop via 10.0.0.252 nexthop via 10.0.0.251");
    assert_eq!(gateway::find().unwrap(), Some(Ipv4Addr::new(10, 0, 0, 252)));
}

#[test]
fn a_living_gateway_answers() {
    enter_namespace();
    cable();
    ip("addr add 10.0.0.1/24 dev a");
    let _router = Router::start();
    assert!(answers(GATEWAY));
}

#[test]
fn a_silent_gateway_is_asked_three_times() {
    enter_namespace();
    cable();
    ip("addr add 10.0.0.1/24 dev a");
    let start = system::clock::now();
    let mut check = Check::start(GATEWAY, start).unwrap();
    for asked in 1..u32::from(TRIES) {
        assert_eq!(check.next_deadline(), start + PATIENCE * asked);
        assert_eq!(check.proceed(start + PATIENCE * asked), None);
    }
    let end = start + PATIENCE * u32::from(TRIES);
    assert_eq!(check.proceed(end - PATIENCE / 2), None);
    assert_eq!(check.proceed(end), Some(false));
}

#[test]
fn without_a_way_there_nothing_is_asked() {
    enter_namespace();
    let error = Check::start(GATEWAY, system::clock::now()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
}
