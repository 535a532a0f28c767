//! A start on a machine that is not clean: no start may assume that the last end was an orderly one.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use nix::sys::signal::{kill, Signal};
use testbed::{
    daemon, holds_for, wait_until, Cluster, Conversation, Forwarding, Probe, Virtual, NAT_ROUTER, VIP,
};

const LIMIT: Duration = Duration::from_secs(10);

/// A cluster whose director `a` died in service and kept all that it had configured.
fn with_dirty_a() -> Cluster {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    cluster.journal().step("kill -9 everything on a, links stay");
    cluster.a.host.kill_all();
    assert!(cluster.a.holds(VIP) && cluster.a.holds(NAT_ROUTER), "all is left over");
    cluster
}

#[test]
fn a_standby_gives_left_over_addresses_and_services_up() {
    let mut cluster = with_dirty_a();
    wait_until(LIMIT, "b took over", || cluster.b.holds(VIP));
    let since = cluster.journal().now();
    cluster.a.start(&[]);
    let cleaned = wait_until(LIMIT, "a has given up what it had", || {
        !cluster.a.holds(VIP) && !cluster.a.holds(NAT_ROUTER)
    });
    println!("left-over addresses gone {cleaned:?} after the start");
    assert!(cleaned < Duration::from_secs(1));
    wait_until(LIMIT, "and its services", || cluster.a.ipvs().services.is_empty());
    holds_for(Duration::from_secs(4), "a stays standby", || !cluster.a.holds(VIP) && cluster.b.holds(VIP));
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);
    assert_eq!(cluster.journal().find("a", since, "partner dead"), None);
}

#[test]
fn what_a_killed_lvs_has_left_in_the_table_goes() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    cluster.journal().step("kill -9 lvs on a");
    for lvs in cluster.a.host.processes_named("lvs") {
        kill(lvs, Signal::SIGKILL).expect("lvs runs");
    }
    wait_until(LIMIT, "b took over", || cluster.b.holds(VIP) && !cluster.a.holds(VIP));
    wait_until(LIMIT, "a serves nothing", || cluster.a.ipvs().services.is_empty());
}

#[test]
fn what_an_lvs_has_left_that_was_killed_beside_a_frozen_pulse_goes() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    cluster.a.stop();
    wait_until(LIMIT, "b took over", || cluster.b.holds(VIP));
    cluster.a.start(&[]);
    holds_for(Duration::from_secs(2), "a is standby", || cluster.b.holds(VIP) && !cluster.a.holds(VIP));
    cluster.journal().step("pulse on b is frozen, and lvs killed");
    cluster.b.pulse().signal(Signal::SIGSTOP);
    for lvs in cluster.b.host.processes_named("lvs") {
        kill(lvs, Signal::SIGKILL).expect("lvs runs");
    }
    wait_until(LIMIT, "a took over", || cluster.a.holds(VIP));
    // The partner's RUNNING is heard before the end of the child.
    cluster.b.pulse().signal(Signal::SIGCONT);
    wait_until(LIMIT, "b has no addresses", || !cluster.b.holds(VIP));
    wait_until(LIMIT, "b serves nothing", || cluster.b.ipvs().services.is_empty());
    assert!(cluster.a.holds(VIP));
}

#[test]
fn what_somebody_removes_from_the_table_comes_back() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.start_both();
    let since = cluster.journal().now();
    cluster.a.host.exec("ipvsadm -C");
    let back = wait_until(LIMIT, "all is back", || {
        cluster.a.ipvs().services.first().is_some_and(|service| service.destinations.len() == 2)
    });
    println!("back after {back:?}");
    cluster.a.wait_for_log(since, "3 entries of the IPVS table were removed by somebody else", LIMIT);
    // Weights set by hand are somebody's wish.
    cluster.a.host.exec("ipvsadm -e -t 10.0.0.50:80 -r 10.1.0.11:80 -m -w 0");
    holds_for(Duration::from_secs(6), "the server is drained", || {
        cluster.a.ipvs().weight("TCP 10.0.0.50:80", "10.1.0.11:80") == Some(0)
    });
}

#[test]
fn an_active_start_makes_the_table_what_the_file_says() {
    let mut cluster = with_dirty_a();
    cluster.b.stop();
    let host = &cluster.a.host;
    host.exec("ipvsadm -A -t 10.0.0.77:99 -s rr");
    host.exec("ipvsadm -a -t 10.0.0.77:99 -r 10.1.0.77:99 -m -w 1");
    host.exec("ipvsadm -a -t 10.0.0.50:80 -r 10.1.0.78:80 -m -w 1");
    // Someone changed the file meanwhile: another VIP, another scheduler.
    let moved = Ipv4Addr::new(10, 0, 0, 60);
    cluster.config.virtual_server("web").set("address", format!("{moved} eth0:1")).set("scheduler", "wrr");
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    wait_until(LIMIT, "the new service is complete", || {
        cluster.a.ipvs().service("TCP 10.0.0.60:80").is_some_and(|service| service.destinations.len() == 2)
    });
    let table = cluster.a.ipvs();
    assert_eq!(table.services.len(), 1, "foreign and old services are gone: {table:?}");
    assert_eq!(table.services[0].scheduler, "wrr");
    wait_until(LIMIT, "the new VIP is up", || cluster.a.holds(moved));
    wait_until(LIMIT, "the old VIP is gone", || !cluster.a.holds(VIP));
}

#[test]
fn what_is_already_right_is_not_touched() {
    let mut cluster = with_dirty_a();
    cluster.b.stop();
    let clients = cluster.probe(Probe::Tcp, Duration::from_millis(10));
    cluster.wait_for_service(&clients);
    let since = cluster.journal().now();
    cluster.a.start(&["--forceactive"]);
    wait_until(LIMIT, "nannies watch again", || cluster.a.host.processes_named("nanny").len() == 2);
    cluster.a.wait_for_log(since, "[ active ] making", LIMIT);
    wait_until(LIMIT, "a second of probes", || clients.report().since(since).samples.len() >= 100);
    let report = clients.stop().since(since);
    println!("restart in place: {report}");
    assert!(report.longest_gap() < Duration::from_millis(250), "{report}");
}

#[test]
fn stale_pid_files_do_not_matter() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    // A process that lives and is none of ours.
    let bystander = cluster.a.host.spawn("/bin/sleep".as_ref(), &["1000"]);
    for file in ["/run/pulse.pid", "/run/lvs.pid"] {
        cluster.a.host.write(file, &format!("{}\n", bystander.pid()));
    }
    let (pulse, lvs) = (daemon("pulse"), daemon("lvs"));
    let command = format!("{} --forceactive --lvsd {}", pulse.display(), lvs.display());
    cluster.a.host.exec(&command);
    wait_until(LIMIT, "the daemon serves", || cluster.a.holds(VIP));
    let written = || cluster.a.host.read("/run/pulse.pid").unwrap_or_default();
    let pid = wait_until_pid(&cluster, &written);
    assert_ne!(pid, bystander.pid().as_raw());
    cluster.a.host.exec(&format!("kill {pid}"));
    wait_until(LIMIT, "the daemon ends and takes the VIP along", || {
        !cluster.a.holds(VIP) && cluster.a.host.processes().len() == 1
    });
    assert!(cluster.a.host.read("/run/pulse.pid").is_err(), "its pid file goes with it");
    cluster.a.configure(&cluster.config);
    drop(bystander);
    cluster.a.start(&["--forceactive"]);
    wait_until(LIMIT, "and it starts again", || cluster.a.holds(VIP));
}

fn wait_until_pid(cluster: &Cluster, written: &dyn Fn() -> String) -> i32 {
    let is_pulse = || {
        let pid: i32 = written().trim().parse().ok()?;
        cluster.a.host.processes_named("pulse").iter().any(|known| known.as_raw() == pid).then_some(pid)
    };
    wait_until(LIMIT, "the pid file names pulse", || is_pulse().is_some());
    is_pulse().expect("a pid")
}

/// The only director dies as a whole and comes back to a changed file. Nobody takes over meanwhile.
#[test]
fn a_lone_director_comes_back_to_a_changed_file() {
    let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(2).build();
    let second = Ipv4Addr::new(10, 0, 0, 61);
    let real = cluster.real_servers[0].address;
    cluster.config.virtuals.push(
        Virtual::new("old")
            .with("address", format!("{second} eth0:2"))
            .with("vip_nmask", "255.255.255.0")
            .with("port", 80)
            .with_server("real1", real, 1),
    );
    cluster.configure();
    cluster.a.start(&["--forceactive"]);
    let complete = |cluster: &Cluster, service: &str, servers: usize| {
        cluster.a.ipvs().service(service).is_some_and(|service| service.destinations.len() == servers)
    };
    wait_until(LIMIT, "both services are complete", || {
        complete(&cluster, "TCP 10.0.0.50:80", 2) && complete(&cluster, "TCP 10.0.0.61:80", 1)
    });
    let open = || Conversation::open(&cluster.client, SocketAddrV4::new(VIP, 80)).expect("a connection");
    let mut conversations = [open(), open()];
    if conversations[0].ask().expect("an answer") != "real1" {
        conversations.reverse();
    }
    assert_eq!(conversations[0].ask().expect("an answer"), "real1");

    cluster.journal().step("kill -9 everything on a");
    cluster.a.host.kill_all();
    cluster.config.virtuals.pop();
    cluster.config.virtual_server("web").remove_server("real2");
    cluster.configure();
    let started = cluster.journal().now();
    cluster.a.start(&[]);
    cluster.a.wait_for_log(started, "partner dead: activating lvs", LIMIT);
    wait_until(LIMIT, "the state is what the file says", || {
        cluster.a.holds(VIP)
            && !cluster.a.holds(second)
            && cluster.a.ipvs().services.len() == 1
            && complete(&cluster, "TCP 10.0.0.50:80", 1)
    });
    let now = cluster.journal().now();
    // The guest takes its time to execute a program; the promise is about what pulse does once it runs.
    let running = cluster.journal().find("a", started, "STARTING PULSE").expect("it says so").at;
    let right = now - running;
    println!("right {right:?} after pulse ran (deadtime 3 s), {:?} after its start", now - started);
    assert!(right <= Duration::from_millis(3300), "{right:?}");
    assert_eq!(conversations[0].ask().expect("the connection to what stayed survives"), "real1");
}
