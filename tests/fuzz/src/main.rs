//! `fuzz SECONDS [TARGET...]`: mutates the corpora for so many seconds each, from a seed of the time or `FUZZ_SEED`.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a tool of development")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuzz::{run, target, Target, Until, TARGETS};

fn main() {
    let mut words = std::env::args().skip(1);
    let seconds = words.next().and_then(|word| word.parse().ok()).expect("usage: fuzz SECONDS [TARGET...]");
    let named: Vec<&Target> =
        words.map(|name| target(&name).unwrap_or_else(|| panic!("no target {name}"))).collect();
    let targets = if named.is_empty() { TARGETS.iter().collect() } else { named };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = std::env::var("FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    for target in targets {
        let executions = run(target, seed, Until::Elapsed(Duration::from_secs(seconds)));
        println!("{:<12} {executions} executions, seed {seed}", target.name);
    }
}
