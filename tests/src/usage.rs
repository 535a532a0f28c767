//! What a process uses, as `/proc` has it.

use std::fs;
use std::time::Duration;

use nix::unistd::Pid;

/// What one process uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Open descriptors.
    pub descriptors: usize,
    /// Resident memory.
    pub memory_kib: usize,
    /// Processor time since its start, in hundredths of a second.
    pub processor: Duration,
}

impl Usage {
    /// None if the process is gone.
    pub fn of(pid: Pid) -> Option<Usage> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory_kib = resident.split_whitespace().next()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold blanks.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Usage { descriptors, memory_kib, processor: Duration::from_millis(ticks * 10) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(Pid::this()).expect("this process runs");
        assert!(usage.descriptors >= 3 && usage.memory_kib > 100, "{usage:?}");
    }
}
