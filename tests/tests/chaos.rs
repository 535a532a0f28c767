//! A seed decides what goes wrong with a pair under load; after each step all must be in order again.
//!
//! `CHAOS_SEED` names the seed, `CHAOS_STEPS` the number of steps and `CHAOS_SECONDS` the time after which no
//! further one begins. A failure prints how to repeat it.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "the course of a run belongs to the result")]

use std::env;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};

use testbed::{wait_until, Chaos, NAT_ROUTER, VIP};

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: no number")))
}

#[test]
fn a_pair_survives_whatever_happens_to_it() {
    let seed = setting("CHAOS_SEED", 1);
    let steps = setting("CHAOS_STEPS", 1000);
    let time = Duration::from_secs(setting("CHAOS_SECONDS", 75));
    let start = Instant::now();
    let mut chaos = Chaos::start(seed);
    let mut taken = 0;
    while taken < steps && start.elapsed() < time {
        taken += 1;
        match catch_unwind(AssertUnwindSafe(|| chaos.step())) {
            Ok(quiet) => println!("{}: in order after {quiet:.1?}", chaos.last_step()),
            Err(panic) => {
                println!("repeat: make soak CHAOS_SEED={seed} CHAOS_STEPS={taken}");
                resume_unwind(panic);
            }
        }
    }
    println!("seed {seed}: {taken} steps in {:.0?}\n{}", start.elapsed(), chaos.usage());
    assert!(taken > 0);
}

/// A pair is put out of order by hand; what the steps rely on must say so.
#[test]
fn what_is_not_in_order_is_found() {
    let mut chaos = Chaos::start(1);
    let (standby_vip, standby_nat) = (format!("{VIP}/24 dev eth0"), format!("{NAT_ROUTER}/24 dev eth1"));
    let cases = [
        (
            "b",
            format!("ip addr add {standby_vip}"),
            format!("ip addr del {standby_vip}"),
            "both directors hold",
        ),
        (
            "b",
            format!("ip addr add {standby_nat}"),
            format!("ip addr del {standby_nat}"),
            "addresses of the standby",
        ),
        ("b", format!("ipvsadm -A -t {VIP}:80"), "ipvsadm -C".to_owned(), "table of the standby"),
        ("a", format!("ipvsadm -A -t {VIP}:81"), format!("ipvsadm -D -t {VIP}:81"), "table of the active"),
    ];
    for (side, act, undo, found) in cases {
        let host = |chaos: &Chaos, line: &str| {
            let cluster = chaos.cluster();
            if side == "a" { &cluster.a } else { &cluster.b }.host.exec(line)
        };
        assert_eq!(chaos.disorder(), Vec::<String>::new(), "before {act}");
        host(&chaos, &act);
        let problems = chaos.disorder();
        assert!(problems.iter().any(|problem| problem.contains(found)), "{act}: {problems:?}");
        host(&chaos, &undo);
    }
    for (side, found) in [("a", "processes of the active"), ("b", "processes of the standby")] {
        let cluster = chaos.cluster();
        let host = if side == "a" { &cluster.a.host } else { &cluster.b.host };
        let orphan = host.spawn(Path::new("/bin/sleep"), &["60"]);
        wait_until(Duration::from_secs(5), "it runs", || host.processes_named("sleep").len() == 1);
        let problems = chaos.disorder();
        assert!(problems.iter().any(|problem| problem.contains(found)), "{problems:?}");
        drop(orphan);
    }
    assert_eq!(chaos.disorder(), Vec::<String>::new());
}
