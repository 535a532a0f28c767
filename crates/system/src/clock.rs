//! The clock of every deadline.

use std::time::Duration;

/// Time since the machine was booted, time spent suspended included.
///
/// `CLOCK_BOOTTIME` and not `CLOCK_MONOTONIC`: a director that was suspended must see on resume that its
/// deadlines are long past, because its partner has lived through that time and acted on it. It is as
/// immune to steps of the wall clock as `CLOCK_MONOTONIC` is.
pub fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the kernel to fill, and lives across the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    debug_assert_eq!(result, 0, "CLOCK_BOOTTIME has existed since Linux 2.6.39");
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_runs_backwards() {
        let first = now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(now() >= first + Duration::from_millis(2));
    }
}
