//! Rows of data that say what a program does, and what it takes to run them: a sandbox for each row, recording
//! stand-ins for ipvsadm and nanny, a syslog to read. `README.md` explains the files in `data/`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test rig may panic")]

pub mod differences;
pub mod lvs;
pub mod options;
pub mod peer;
pub mod program;
pub mod pulse;
pub mod rows;
pub mod sandbox;
pub mod streams;

/// Runs every row in a thread of its own, a few at a time, and panics with all failures.
///
/// # Panics
/// If a row fails.
pub fn run_all<T: Sync>(
    rows: &[T],
    name: impl Fn(&T) -> String + Sync,
    run: impl Fn(&T) -> Result<(), String> + Sync,
) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Mutex;

    // Rows mostly wait.
    const AT_ONCE: usize = 16;
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            // A thread of its own: namespaces belong to the thread.
            let result = std::thread::scope(|scope| scope.spawn(|| run(row)).join());
            let text = match result {
                Ok(Ok(())) => continue,
                Ok(Err(text)) => text,
                Err(_) => "panicked".to_owned(),
            };
            failures.lock().unwrap().push(format!("{}: {text}", name(row)));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rows.len()) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} rows:\n{}", failures.len(), rows.len(), failures.join("\n\n"));
}
