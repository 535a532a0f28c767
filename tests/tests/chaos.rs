//! A seed decides what goes wrong with a pair under load; after each step all must be in order again.
//!
//! `CHAOS_SEED` names the seed, `CHAOS_STEPS` the number of steps and `CHAOS_SECONDS` the time after which no
//! further one begins. A failure prints how to repeat it.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "the course of a run belongs to the result")]

use std::env;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use testbed::Chaos;

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
