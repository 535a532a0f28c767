//! What the original nanny was seen to do, row by row, and what is better now (marked *changed*).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test rig may panic")]

mod rig;
#[path = "conformance/rows.rs"]
mod rows;

use nix::sys::signal::Signal;
use rig::server::Server;
use rig::{Directory, Event, Nanny};
use rows::Row;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

/// How much too early and too late an event may be, in seconds.
const EARLY: f64 = 0.3;
const LATE: f64 = 0.9;
/// Stands for "after the signal at the end".
const END: f64 = f64::INFINITY;
/// Rows mostly sleep. All of them at once would have so many starts to share two processors that nannies built for
/// the address sanitizer (`make sanitise`) were late.
const AT_ONCE: usize = 16;

#[test]
fn every_row() {
    let rows = rows::rows();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            let text = match std::thread::scope(|scope| scope.spawn(|| check(row)).join()) {
                Ok(Ok(())) => continue,
                Ok(Err(text)) => text,
                Err(_) => "panicked".to_owned(),
            };
            failures.lock().unwrap().push(format!("{}: {text}", row.id));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

fn check(row: &Row) -> Result<(), String> {
    let directory = Directory::new();
    let server = Server::start(row.server);
    let at = |name: &str| directory.0.join(name).display().to_string();
    for (name, text) in &row.scripts {
        directory.script(name, &text.replace("{DIR}", &at("")));
    }
    let fill = |text: &str| {
        let port = server.address.port().to_string();
        text.replace("{DIR}", &at("")).replace("{R}", &format!("127.0.0.1:{port}")).replace("{RP}", &port)
    };
    let ipvsadm = directory.ipvsadm(row.failing).display().to_string();
    let mut arguments = vec!["-n".to_owned(), "-I".to_owned(), ipvsadm.clone()];
    arguments.extend(row.base.iter().chain(&row.arguments).map(|text| fill(text)));

    let mut nanny = Nanny::start(&arguments, &directory.0);
    server.begin(nanny.started);
    let start_lines = nanny.log.len();
    for &(seconds, signal) in &row.signals {
        nanny.run_until(seconds);
        nanny.signal(signal);
    }
    nanny.run_until(row.seconds);
    nanny.signal(Signal::SIGTERM);
    let status = nanny.wait();

    let fill = |text: &str| fill(text).replace("{I}", &ipvsadm);
    let log = expected(&row.log, &fill, log_line);
    let log_seen = nanny.log.split_off(start_lines);
    compare("log", &log, &log_seen, row.seconds)?;
    let calls = expected(&row.calls, &fill, |text| row.call(text));
    let calls: Vec<Event> = calls.into_iter().map(|(time, text)| (time, fill(&text))).collect();
    compare("calls", &calls, &nanny.since_start(directory.recorded()), row.seconds)?;
    if status.code() != Some(row.exit) {
        return Err(format!("ended with {status}, not {}", row.exit));
    }
    if let Some(expected) = row.received {
        let received = server.received.lock().unwrap().first().cloned();
        if received.as_deref() != Some(expected) {
            return Err(format!("the server received {received:?}"));
        }
    }
    if let Some(expected) = &row.noted {
        let noted = std::fs::read_to_string(directory.0.join("noted")).unwrap_or_default();
        if noted != fill(expected) {
            return Err(format!("the program noted {noted:?}"));
        }
    }
    Ok(())
}

/// Reads events written as `SECONDS TEXT` or `end TEXT`.
fn expected(lines: &[&str], fill: &dyn Fn(&str) -> String, expand: impl Fn(&str) -> String) -> Vec<Event> {
    let read = |line: &&str| {
        let (time, text) = line.split_once(' ').unwrap();
        let time = if time == "end" { END } else { time.parse().unwrap() };
        (time, fill(&expand(text)))
    };
    lines.iter().map(read).collect()
}

/// The long lines have short names.
fn log_line(text: &str) -> String {
    match text {
        "active" => "[ active ] making {R} available".to_owned(),
        "inactive" => "[inactive] shutting down {R} due to connection failure".to_owned(),
        "term" => "Terminating due to signal 15".to_owned(),
        text => text.to_owned(),
    }
}

fn compare(what: &str, expected: &[Event], seen: &[Event], end: f64) -> Result<(), String> {
    let agrees = |(expected, seen): (&Event, &Event)| {
        let in_time = match expected.0 {
            END => seen.0 >= end - EARLY,
            time => (time - EARLY..time + LATE).contains(&seen.0),
        };
        let same = match expected.1.strip_suffix('*') {
            Some(start) => seen.1.starts_with(start),
            None => expected.1 == seen.1,
        };
        in_time && same
    };
    match expected.len() == seen.len() && expected.iter().zip(seen).all(agrees) {
        true => Ok(()),
        false => Err(format!("{what}: expected {expected:?}\n     seen {seen:?}")),
    }
}
