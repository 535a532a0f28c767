//! What the tests of whole pulses stand on: one pulse by itself, or two in a network.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]
#![allow(dead_code, reason = "each test needs a part of it")]

pub mod lone;
pub mod pair;

use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than anything here takes, short enough for somebody who waits.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Another process writes it: a file that this one had open, a child of another test might still have open, and then it
/// cannot be executed.
fn write_script(path: &str, text: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod 755 "$2""#;
    assert!(Command::new("sh").args(["-c", write, "sh", text, path]).status().unwrap().success());
}
