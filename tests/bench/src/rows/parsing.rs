//! Row 9: reading lvs.cf. Runs on the machine's own kernel.

use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use lvs_cf::{parse, NoNames};

use crate::farm::numbered;
use crate::figure::{Figure, Series};

/// Speed and memory for files of three sizes.
pub fn measure(runs: usize) -> Vec<Figure> {
    let path = std::env::temp_dir().join(format!("bench-{}.cf", std::process::id()));
    let mut figures = Vec::new();
    for (size, name) in [(1_000, "1 kB"), (1_000_000, "1 MB"), (100_000_000, "100 MB")] {
        fs::write(&path, file(size)).expect("room for a file");
        let outcomes: Vec<(f64, f64)> =
            (0..runs).map(|_| child(path.to_str().expect("a printable path"))).collect();
        let speed = Series::new(outcomes.iter().map(|outcome| outcome.0).collect());
        let mut figure = Figure::new(9, format!("reading an lvs.cf of {name}"), "MB/s", speed);
        figure.more_is_better = true;
        figures.push(if size > 1_000 { figure.bounded(100.0) } else { figure });
        if size == 100_000_000 {
            let memory = Series::new(outcomes.iter().map(|outcome| outcome.1).collect());
            figures.push(Figure::new(9, "peak memory, file included", "× file", memory).bounded(4.0));
        }
    }
    let _ = fs::remove_file(path);
    figures
}

/// Virtual servers with a hundred real servers each, up to `size` bytes.
fn file(size: usize) -> String {
    let mut text = String::from("serial_no = 1\nprimary = 10.0.0.1\nbackup = 10.0.0.2\nservice = lvs\n");
    let mut service = 0;
    while text.len() < size {
        let vip = numbered(0, service % 10_000);
        let _ = write!(
            text,
            "virtual v{service} {{\n    active = 1\n    address = {vip} eth0:1\n    port = 80\n"
        );
        for server in 0..100 {
            if text.len() >= size {
                break;
            }
            let address = numbered(1, server);
            let _ = write!(text, "    server s{server} {{\n        address = {address}\n        active = 1\n        weight = 1\n    }}\n");
        }
        text += "}\n";
        service = service.wrapping_add(1);
    }
    text
}

/// Megabytes a second, and the peak of resident memory in file sizes; in a process of its own, because a peak
/// does not go back.
fn child(path: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("a path of this program");
    let output = Command::new(program).args(["--parse", path]).output().expect("this program");
    let text = String::from_utf8(output.stdout).expect("numbers");
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a speed"), numbers.next().expect("a size"))
}

/// The job of the child.
pub fn parse_here(arguments: &[String]) {
    let source = fs::read(&arguments[0]).expect("the file");
    let size = source.len() as f64;
    let (mut rounds, started) = (0, Instant::now());
    while rounds == 0 || started.elapsed() < Duration::from_millis(200) {
        parse(&source, &NoNames).expect("a good file");
        rounds += 1;
    }
    let speed = size * f64::from(rounds) / 1e6 / started.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    let peak: f64 = peak.and_then(|kib| kib.parse().ok()).expect("a peak");
    println!("{speed} {}", peak * 1024.0 / size);
}
