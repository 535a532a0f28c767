//! Processor time of a whole guest, as the host accounts for it to the nanosecond. The guest's own accounting
//! samples a hundred times a second, which is no measure for programs that work for microseconds.
//!
//! The guest asks by a file in the directory that it shares with the host, and the host answers by another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Names the directory that host and guest share.
pub const SHARED: &str = "BENCH_SHARED";

/// Processor time used until some moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    at: Instant,
    used: Duration,
}

impl Reading {
    /// Asks the host. Called in a guest.
    pub fn take() -> Reading {
        let shared = PathBuf::from(std::env::var_os(SHARED).expect("a guest of the benchmark"));
        let number = fs::read_dir(&shared).expect("the shared directory").count();
        let answer = shared.join(format!("used-{number}"));
        fs::write(shared.join(format!("ask-{number}")), "").expect("a question");
        loop {
            if let Ok(text) = fs::read_to_string(&answer) {
                let used = Duration::from_nanos(text.trim().parse().expect("nanoseconds"));
                return Reading { at: Instant::now(), used };
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Percent of a processor that the guest used since then.
    pub fn percent_since(&self, earlier: &Reading) -> f64 {
        let used = self.used.saturating_sub(earlier.used).as_secs_f64();
        100.0 * used / self.at.duration_since(earlier.at).as_secs_f64()
    }
}

/// Percent of a processor that the guest uses during `period`.
pub fn percent(period: Duration) -> f64 {
    let before = Reading::take();
    thread::sleep(period);
    Reading::take().percent_since(&before)
}

/// Answers the questions in `shared` about the descendants of `parent`. Called on the host, again and again.
pub fn answer(shared: &Path, parent: u32) {
    for entry in fs::read_dir(shared).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(number) = name.strip_prefix("ask-") else { continue };
        let answer = shared.join(format!("used-{number}"));
        if !answer.exists() {
            // Complete when it appears.
            let draft = shared.with_extension("draft");
            let _ = fs::write(&draft, used_by(parent).as_nanos().to_string());
            let _ = fs::rename(&draft, &answer);
        }
    }
}

fn used_by(parent: u32) -> Duration {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some((pid, ppid)) = pid.and_then(|pid| Some((pid, parent_of(pid)?))) {
            children.entry(ppid).or_default().push(pid);
        }
    }
    let (mut used, mut open) = (Duration::ZERO, vec![parent]);
    while let Some(pid) = open.pop() {
        used += processor_time(pid);
        open.extend(children.remove(&pid).unwrap_or_default());
    }
    used
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The processor time of all threads of a process on this machine, to the nanosecond.
pub fn processor_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanoseconds = |path: PathBuf| {
        fs::read_to_string(path.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
    };
    threads.filter_map(|thread| nanoseconds(thread.path())).map(Duration::from_nanos).sum()
}
