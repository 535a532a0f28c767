//! `make demo`: a client, two directors and two web servers, and what the suite does for them when parts
//! fail. Every claim is checked against the kernel (`ip addr`, `ipvsadm -Ln`) and the client's own count; the
//! exit status is 0 if all of them are true.
//!
//! With `KEEP=1` the lab stays up after the last step: with a shell in it on a terminal, until it is
//! interrupted elsewhere.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a demo talks, and it has nothing to clean up")]

use std::env;
use std::io::{self, IsTerminal};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use testbed::{Cluster, Director, Forwarding, Probe, Prober, VipWatch, NAT_ROUTER, VIP};

/// The file that both directors are given.
const CONFIG: &str = include_str!("../../../etc/demo/lvs.cf");
const SERVICE: &str = "TCP 10.0.0.50:80";
/// Time between two requests of the client.
const RHYTHM: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let started = Instant::now();
    let mut demo = Demo::set_up();
    demo.balance();
    demo.lose_a_web_server();
    demo.return_the_web_server();
    demo.crash_the_active_director();
    demo.return_the_crashed_director();
    demo.stop_the_active_director();
    let is_true = demo.sum_up(started.elapsed());
    if env::var("KEEP").is_ok_and(|keep| keep == "1") {
        demo.keep();
    }
    if is_true {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Demo {
    clients: Prober,
    holders: VipWatch,
    cluster: Cluster,
    /// One line for each step.
    summary: Vec<String>,
    untrue: Vec<String>,
}

impl Demo {
    fn set_up() -> Demo {
        title("A client, two directors (a: primary, b: backup) and two web servers behind NAT");
        let mut cluster = Cluster::builder(Forwarding::Nat).prefix("demo-").build();
        for director in [&cluster.a, &cluster.b] {
            director.configure_with(CONFIG);
        }
        println!("{}", CONFIG.trim_end());
        let holders = VipWatch::start(VIP, &[&cluster.a.host, &cluster.b.host]);
        title("pulse starts on both directors with this file as /etc/sysconfig/ha/lvs.cf");
        cluster.journal().print_live(true);
        cluster.a.start(&[]);
        cluster.b.start(&[]);
        eventually(15, || cluster.a.holds(VIP) || cluster.b.holds(VIP));
        if cluster.b.holds(VIP) {
            // Whoever hears the other first serves; the story is told with a as the active one.
            println!("     b was elected; it hands over to a, so that the story has a as the active one");
            cluster.b.stop();
            eventually(5, || cluster.a.holds(VIP));
            cluster.b.start(&[]);
        }
        eventually(10, || servers(&cluster.a) == 2);
        // The heartbeats of b tell a, and those of a tell b, who is there.
        thread::sleep(Duration::from_millis(1500));
        let clients = cluster.probe(Probe::Tcp, RHYTHM);
        cluster.wait_for_service(&clients);
        Demo { clients, holders, cluster, summary: Vec::new(), untrue: Vec::new() }
    }

    fn balance(&mut self) {
        title("The kernel's IPVS shares the requests of the client between the web servers");
        let since = self.now();
        self.let_clients_ask(since, 100);
        self.show_kernel("a");
        let report = self.clients.report().since(since);
        let shares = report.by_server();
        self.claim("a holds the VIP, b does not", self.cluster.a.holds(VIP) && !self.cluster.b.holds(VIP));
        self.claim("both web servers are in a's table", servers(&self.cluster.a) == 2);
        self.claim("b's table is empty", self.cluster.b.ipvs().services.is_empty());
        let (one, two) = (shares.get("real1").copied(), shares.get("real2").copied());
        let is_even = one.zip(two).is_some_and(|(one, two)| one.abs_diff(two) <= 2);
        self.claim("both answer equally often", is_even);
        self.tell("balanced over both web servers", since);
    }

    fn lose_a_web_server(&mut self) {
        title("The web server on real1 dies; its nanny takes it out");
        let since = self.now();
        self.cluster.journal().step("web server on real1 dies");
        self.cluster.real_servers[0].server.stop();
        let is_out = eventually(10, || self.cluster.a.ipvs().weight(SERVICE, "10.1.0.11:80").is_none());
        let out = self.now();
        self.show_kernel("a");
        self.claim("real1 is out of the table", is_out);
        self.let_clients_ask(out, 50);
        self.claim("since then no request is lost", self.clients.report().since(out).lost() == 0);
        self.tell("web server dead and out of the table", since);
    }

    fn return_the_web_server(&mut self) {
        title("It returns; after reentry = 4 seconds of good checks it is in again");
        let since = self.now();
        self.cluster.journal().step("web server on real1 starts");
        self.cluster.real_servers[0].server.restart();
        let is_in = eventually(15, || servers(&self.cluster.a) == 2);
        self.show_kernel("a");
        self.claim("real1 is in the table again", is_in);
        let back = self.now();
        self.let_clients_ask(back, 50);
        self.claim("it answers again", self.clients.report().since(back).by_server().contains_key("real1"));
        self.claim("no request was lost", self.clients.report().since(since).lost() == 0);
        self.tell("web server back", since);
    }

    fn crash_the_active_director(&mut self) {
        title("The active director a dies: cables out, SIGKILL to everything on it");
        let since = self.now();
        self.cluster.a.crash(&self.cluster.network);
        let took_over = eventually(15, || self.cluster.b.holds(VIP) && servers(&self.cluster.b) == 2);
        self.cluster.wait_for_service(&self.clients);
        let served = self.now();
        self.let_clients_ask(served, 50);
        self.show_kernel("b");
        self.claim("b holds the VIP and both web servers", took_over);
        let gap = self.clients.report().since(since).longest_gap();
        self.claim("service was back within deadtime (3 s) and 250 ms", gap <= Duration::from_millis(3250));
        self.claim("no request is lost since", self.clients.report().since(served).lost() == 0);
        self.tell("active director dead, the other one serves", since);
    }

    fn return_the_crashed_director(&mut self) {
        title("a returns, with left-over VIPs and IPVS table, as standby");
        let since = self.now();
        self.cluster.a.start(&[]);
        // It cleans up before anybody can hear it.
        let is_clean = eventually(5, || !self.cluster.a.holds(VIP) && !self.cluster.a.holds(NAT_ROUTER));
        self.cluster.a.reconnect(&self.cluster.network);
        let reconnected = self.now();
        self.let_clients_ask(reconnected, 250);
        self.show_kernel("b");
        self.claim("a gave its left-over VIP up", is_clean && !self.cluster.a.holds(VIP));
        self.claim("b still holds the VIP", self.cluster.b.holds(VIP));
        self.claim("no request was lost", self.clients.report().since(since).lost() == 0);
        self.tell("the dead director back as standby", since);
    }

    fn stop_the_active_director(&mut self) {
        title("b is stopped as for maintenance; it hands over to a");
        let since = self.now();
        let status = self.cluster.b.stop();
        let took_over = eventually(5, || self.cluster.a.holds(VIP) && servers(&self.cluster.a) == 2);
        let served = self.now();
        self.let_clients_ask(served, 50);
        self.show_kernel("a");
        self.claim("pulse on b ended with status 0", status.success());
        self.claim("a holds the VIP and both web servers", took_over);
        self.claim(
            "nothing is left on b",
            !self.cluster.b.holds(VIP) && self.cluster.b.ipvs().services.is_empty(),
        );
        let gap = self.clients.report().since(since).longest_gap();
        self.claim("less than 50 ms without service", gap < Duration::from_millis(50));
        self.tell("planned stop, handed over", since);
        self.cluster.b.start(&[]);
    }

    fn now(&self) -> Duration {
        self.cluster.journal().now()
    }

    /// Waits until `count` requests since `since` have their answers.
    fn let_clients_ask(&self, since: Duration, count: usize) {
        eventually(20, || self.clients.report().since(since).samples.len() >= count);
    }

    fn show_kernel(&self, name: &str) {
        let director = if name == "a" { &self.cluster.a } else { &self.cluster.b };
        for command in ["ip -br -4 addr show", "ipvsadm -Ln"] {
            println!("  {name}# {command}");
            for line in director.host.exec(command).lines() {
                println!("     {line}");
            }
        }
    }

    fn claim(&mut self, claim: &str, is_true: bool) {
        println!("  [{}] {claim}", if is_true { " ok " } else { "FAIL" });
        if !is_true {
            self.untrue.push(claim.to_owned());
        }
    }

    /// Says what clients saw since `since`.
    fn tell(&mut self, what: &str, since: Duration) {
        let report = self.clients.report().since(since);
        println!("  clients: {report}");
        self.summary.push(format!(
            "{what:<45} {:>5} requests {:>4} lost {:>6} ms without service",
            report.samples.len(),
            report.lost(),
            report.longest_gap().as_millis()
        ));
    }

    fn sum_up(&mut self, took: Duration) -> bool {
        self.cluster.journal().print_live(false);
        title("Summary");
        for line in &self.summary {
            println!("  {line}");
        }
        println!(
            "  {:.0} s in all; keepalive 1 s, deadtime 3 s; one request every {RHYTHM:?}",
            took.as_secs_f64()
        );
        // The dead director could not take its VIP down: that time does not count.
        println!("  VIP changes: {}", self.changes());
        for claim in &self.untrue {
            println!("  UNTRUE: {claim}");
        }
        if self.untrue.is_empty() {
            println!("  all claims are true");
        }
        self.untrue.is_empty()
    }

    fn changes(&self) -> String {
        let changes = self.holders.changes().into_iter().skip(2).map(|change| {
            let verb = if change.holds { "up" } else { "down" };
            format!("{:.1} s {verb} on {}", change.at.as_secs_f64(), change.host)
        });
        changes.collect::<Vec<_>>().join(", ")
    }

    /// Leaves the lab up until the user has seen enough.
    fn keep(&self) {
        title("The lab stays up");
        let Cluster { a, b, client, real_servers, .. } = &self.cluster;
        let hosts = [&a.host, &b.host, client].into_iter().chain(real_servers.iter().map(|real| &real.host));
        let names: Vec<&str> = hosts.map(|host| host.namespace()).collect();
        println!("  hosts: {}", names.join(" "));
        println!("  ip netns exec {} ipvsadm -Ln", a.host.namespace());
        println!("  ip netns exec {} ip addr", b.host.namespace());
        println!("  ip netns exec {} curl http://{VIP}/", client.namespace());
        println!("  ip netns exec {} tcpdump -ni eth0 udp port 539 or arp", b.host.namespace());
        println!("  kill -9 $(ip netns pids {})    # a crash", a.host.namespace());
        if io::stdin().is_terminal() {
            println!("  This is a shell in the lab; `exit` ends it and the lab.");
            let _ = Command::new("bash").env("PS1", "lab# ").args(["--norc", "-i"]).status();
        } else {
            println!("  Interrupt `make demo` to end it.");
            thread::park();
        }
    }
}

fn title(text: &str) {
    println!("\n=== {text}");
}

/// The number of real servers in a director's table.
fn servers(director: &Director) -> usize {
    director.ipvs().service(SERVICE).map_or(0, |service| service.destinations.len())
}

/// Waits up to so many seconds; whether the condition came true.
fn eventually(seconds: u64, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        if condition() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    condition()
}
