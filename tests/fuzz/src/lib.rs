//! Everything in the suite that reads bytes from a file, a peer, the kernel or a child, as functions of those
//! bytes. Each may only return: a panic, or a promise that is not kept, is a defect.
//!
//! The same targets run in a seeded loop that needs nothing but this crate ([`run`]), and under cargo-fuzz
//! (`libfuzzer/`). Their corpora are in `corpus/NAME/`; the examples of lvs.cf belong to that target too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "what fails here is found")]

mod heartbeats;
mod mutate;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use mutate::Mutator;

/// Something that reads bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also that of its corpus.
    pub name: &'static str,
    /// Reads the bytes.
    pub execute: fn(&[u8]),
    /// Executions in `make test`: some seconds without optimisation.
    pub executions: u64,
    /// Pieces that a mutation may insert.
    words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "lvs_cf",
        execute: targets::lvs_cf,
        executions: 20_000,
        words: &[
            "virtual",
            "server",
            "failover",
            "{",
            "}",
            "=",
            "\"",
            "\\",
            "#",
            "\r",
            "active = 1",
            "-1",
            "0x",
            "99999999999",
        ],
    },
    Target { name: "heartbeat", execute: heartbeats::election, executions: 100_000, words: &[] },
    Target { name: "ipvs_dump", execute: targets::ipvs_dump, executions: 300_000, words: &[] },
    Target { name: "netlink", execute: targets::netlink, executions: 300_000, words: &[] },
    Target { name: "route", execute: targets::route, executions: 300_000, words: &[] },
    Target {
        name: "options",
        execute: targets::options,
        executions: 300_000,
        words: &["-", "--", "=", "\0", "--help", "-?", "--usage", "0x", "-2147483649", "-nv", "--vip="],
    },
    Target {
        name: "check_text",
        execute: targets::check_text,
        executions: 300_000,
        words: &["\\", "\\r\\n", "\"", "'", "%h", "%p", "*", "\0"],
    },
    Target {
        name: "load",
        execute: targets::load,
        executions: 300_000,
        words: &["load", " average", "s", ":", ": ", ", ", ".", "1e999", "é"],
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    /// The files that it starts from, in the order of their names.
    #[must_use]
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = files_of(&root.join("corpus").join(self.name));
        if self.name == "lvs_cf" {
            files.extend(files_of(&root.join("../../etc/examples")));
        }
        files.iter().map(|path| fs::read(path).expect("a readable file")).collect()
    }
}

fn files_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After so many executions.
    Executions(u64),
    /// After this time.
    Elapsed(Duration),
}

/// Executes the corpus as it is and then mutations of it, the same for the same seed. Returns the executions.
///
/// # Panics
/// With the input, when an execution panicked.
pub fn run(target: &Target, seed: u64, until: Until) -> u64 {
    let corpus = target.corpus();
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    corpus.iter().for_each(|input| execute(target, seed, input));
    let mut mutator = Mutator::new(seed, target.words);
    let start = Instant::now();
    let mut executions = corpus.len() as u64;
    while match until {
        Until::Executions(limit) => executions < limit,
        Until::Elapsed(limit) => start.elapsed() < limit,
    } {
        execute(target, seed, &mutator.next(&corpus));
        executions += 1;
    }
    executions
}

fn execute(target: &Target, seed: u64, input: &[u8]) {
    if std::panic::catch_unwind(|| (target.execute)(input)).is_err() {
        panic!("{} with seed {seed} fails on b\"{}\"", target.name, input.escape_ascii());
    }
}
