//! `make bench`: measures the suite beside its peers, on the same kernel in the same run.
//!
//! `bench [ROW...]` measures all rows or those named by number and prints a table; with `BENCH_SAVE=1` it also
//! writes `docs/benchmarks.json` and `docs/benchmarks.svg`, in which rows that were not measured this time stay
//! as they were. `BENCH_RUNS=N` is how often a measurement is made (default 5).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that cannot do what it was told has nothing useful left to do"
)]

mod chart;
mod edits;
mod farm;
mod figure;
mod keepalived;
mod meter;
mod pair;
mod report;
mod rows;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::figure::Figure;
use crate::rows::{Place, Row, ROWS};

const KERNEL: &str = "tests/lab/in-ipvs-kernel";
/// Seconds that a row may take.
const LIMIT: &str = "2400";
/// Memory of a guest: ten thousand nannies.
const MEMORY: &str = "10G";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--measure") => measure_here(&arguments[1]),
        Some("--install") => rows::table::install_here(&arguments[1..]),
        Some("--parse") => rows::parsing::parse_here(&arguments[1..]),
        _ => return measure_all(&arguments),
    }
    ExitCode::SUCCESS
}

fn measure_all(wanted: &[String]) -> ExitCode {
    let mut figures = Vec::new();
    let mut failed = false;
    for row in ROWS.iter().filter(|row| wanted.is_empty() || wanted.contains(&row.number.to_string())) {
        let started = Instant::now();
        eprintln!("row {}: {}", row.number, row.title);
        match measure(row) {
            Some(found) => figures.extend(found),
            None => failed = true,
        }
        eprintln!("  took {:.0} s", started.elapsed().as_secs_f64());
    }
    print!("{}", report::table(&figures));
    if env::var("BENCH_SAVE").is_ok_and(|save| save == "1") {
        report::save(figures).expect("docs/ can be written");
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Measures a row in a process of its own; None if that failed.
fn measure(row: &Row) -> Option<Vec<Figure>> {
    let shared = env::temp_dir().join(format!("bench-{}-{}", std::process::id(), row.number));
    fs::create_dir_all(&shared).expect("a directory");
    let program = env::current_exe().expect("a path of this program");
    let mut command = match row.place {
        Place::Here => Command::new(program),
        Place::Guest => {
            let mut command = Command::new(KERNEL);
            command.arg(program).env("LAB_FORCE_GUEST", "1").env("LAB_SHARE", &shared);
            command.env("LAB_TIME_LIMIT", LIMIT).env("LAB_MEMORY", MEMORY);
            command
        }
    };
    command.args(["--measure", &row.number.to_string()]).env(meter::SHARED, &shared);
    let mut child = command.spawn().expect("tests/lab/in-ipvs-kernel, from the top directory of the project");
    let status = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break status,
            None => meter::answer(&shared, child.id()),
        }
        thread::sleep(Duration::from_millis(20));
    };
    let found = fs::read_to_string(shared.join("figures")).ok().filter(|_| status.success());
    let _ = fs::remove_dir_all(&shared);
    found.and_then(|text| serde_json::from_str(&text).ok())
}

/// The job of the process for one row.
fn measure_here(number: &str) {
    let row = ROWS.iter().find(|row| row.number.to_string() == number).expect("the number of a row");
    let runs = env::var("BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5);
    let figures = (row.measure)(runs);
    let shared = env::var_os(meter::SHARED).expect("a shared directory");
    let text = serde_json::to_string(&figures).expect("numbers");
    fs::write(Path::new(&shared).join("figures"), text).expect("the shared directory");
}
