//! What the kernel does by itself once it is told to: connection synchronisation and weights that follow the load.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "helpers of tests may do what tests do")]

use std::net::SocketAddrV4;
use std::time::Duration;

use testbed::{wait_until, Cluster, Conversation, Director, Forwarding, VIP};

const LIMIT: Duration = Duration::from_secs(10);
const SERVICE: &str = "TCP 10.0.0.50:80";

fn sync_daemons(director: &Director) -> String {
    director.host.exec("ipvsadm -L --daemon")
}

/// The sync daemon follows the role, its identifier is taken modulo 256, and a connection survives a handover.
#[test]
fn the_sync_daemon_follows_the_role() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.config.set("syncdaemon", 1).set("syncd_iface", "eth0").set("syncd_id", 300);
    cluster.configure();
    cluster.start_both();
    let roles = |a: &str, b: &str| {
        let line = |role: &str| format!("{role} sync daemon (mcast=eth0, syncid=44");
        wait_until(LIMIT, &format!("a is {a}, b is {b}"), || {
            sync_daemons(&cluster.a).contains(&line(a)) && sync_daemons(&cluster.b).contains(&line(b))
        });
    };
    roles("master", "backup");

    let mut conversation =
        Conversation::open(&cluster.client, SocketAddrV4::new(VIP, 80)).expect("a connection");
    let server = conversation.ask().expect("an answer");
    // The kernel sends a connection to the backup once it has carried a few packets.
    wait_until(LIMIT, "b knows the connection", || {
        assert_eq!(conversation.ask().expect("an answer"), server);
        cluster.b.host.exec("ipvsadm -Lcn").contains("ESTABLISHED")
    });

    assert!(cluster.a.stop().success());
    wait_until(LIMIT, "b serves", || cluster.b.holds(VIP));
    assert_eq!(conversation.ask().expect("the connection goes on through b"), server);
    wait_until(LIMIT, "b is master", || sync_daemons(&cluster.b).contains("master sync daemon"));
    assert!(!sync_daemons(&cluster.a).contains("sync daemon ("), "a leaves none running");
}

/// Another identifier, no daemon, a daemon again: each at a reload, and in the role that the node has.
#[test]
fn the_sync_daemon_follows_a_reload() {
    let mut cluster = Cluster::builder(Forwarding::Nat).build();
    cluster.config.set("syncdaemon", 1).set("syncd_iface", "eth0").set("syncd_id", 1);
    cluster.configure();
    cluster.start_both();
    for (wanted, id) in [(1, 1), (1, 7), (0, 7), (1, 8)] {
        for (role, director) in [("master", &mut cluster.a), ("backup", &mut cluster.b)] {
            if (wanted, id) != (1, 1) {
                cluster.config.set("syncdaemon", wanted).set("syncd_id", id);
                director.reload(&cluster.config);
            }
            let line = format!("{role} sync daemon (mcast=eth0, syncid={id}");
            wait_until(LIMIT, &format!("syncdaemon = {wanted}, {role}, {id}"), || {
                let daemons = sync_daemons(director);
                if wanted == 1 {
                    daemons.contains(&line)
                } else {
                    !daemons.contains("sync daemon (")
                }
            });
        }
    }
}

/// `load_monitor` names a program that is asked for a server's load; an idle server gets more weight.
#[test]
fn an_idle_server_gets_more_weight() {
    let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(2).build();
    let [idle, busy] = [0, 1].map(|index| cluster.real_servers[index].address);
    for director in [&cluster.a, &cluster.b] {
        let script = format!(
            "#!/bin/sh\ncase $1 in {idle}) load=0.00;; *) load=1.00;; esac\n\
             echo \"12:00:00 up 1 day, 1 user, load average: $load, 0.00, 0.00\"\n"
        );
        director.host.write("/etc/sysconfig/ha/load", &script);
        director.host.exec("chmod 755 /etc/sysconfig/ha/load");
    }
    let web = cluster.config.virtual_server("web");
    web.set("load_monitor", "/etc/sysconfig/ha/load").set("timeout", 11).set("reentry", 11);
    web.set_server("real1", "weight", 2).set_server("real2", "weight", 2);
    cluster.configure();
    cluster.start_both();
    let weight = |address| cluster.a.ipvs().weight(SERVICE, &format!("{address}:80"));
    wait_until(LIMIT, "both have the weight of the file", || {
        weight(idle) == Some(2) && weight(busy) == Some(2)
    });
    wait_until(Duration::from_secs(20), "the idle one gets more", || weight(idle) == Some(3));
    assert_eq!(weight(busy), Some(2), "at a load of 1 the weight stays");
}
