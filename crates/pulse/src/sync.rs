//! The kernel's connection synchronisation daemon: master on the active node, backup on the other.
//!
//! The kernel is told directly; a program in ipvsadm's place runs beside the loop, one call after the other.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use ipvs::{Error, ErrorKind, Operation, SyncDaemon, SyncRole};
use lvs_cf::{Config, Text};
use system::child::{Exit, Pid};
use system::ipvs::{Call, Program};

const STOP_BACKUP: Operation = Operation::StopSync(SyncRole::Backup);
const STOP_MASTER: Operation = Operation::StopSync(SyncRole::Master);

/// The daemon, as far as this pulse has to do with it.
pub struct Sync {
    /// Which end of the synchronisation this node is; none before the start of its part in the pair, and after the end.
    role: Option<SyncRole>,
    /// What is being done, until all of it is.
    current: Option<Batch>,
    /// What is done after that. A later wish takes the place of an earlier one: each begins with both roles stopped.
    next: Option<Batch>,
    /// The call that has not ended.
    running: Option<(Operation, Call)>,
}

/// Operations in their order, and the program that does them.
struct Batch {
    program: Text,
    operations: VecDeque<Operation>,
}

impl Sync {
    /// A node that has no role yet.
    pub fn new() -> Self {
        Self { role: None, current: None, next: None, running: None }
    }

    /// Gives the daemon its role, if lvs.cf asks for one. Both are stopped first, as the original does; that one
    /// of them did not run is no failure.
    pub fn set_role(&mut self, now: Duration, config: &Config, role: SyncRole) {
        self.role = Some(role);
        if let Some((interface, syncid)) = wanted(config) {
            let start = Operation::StartSync(SyncDaemon { role, interface, syncid });
            self.then(now, config, [STOP_BACKUP, STOP_MASTER, start].into());
        }
    }

    /// Stops the daemon, whatever its role, at the end of pulse.
    pub fn stop(&mut self, now: Duration, config: &Config) {
        self.role = None;
        if wanted(config).is_some() {
            self.then(now, config, [STOP_BACKUP, STOP_MASTER].into());
        }
    }

    /// The daemon follows another file: one that is to be different is started anew.
    pub fn reload(&mut self, now: Duration, before: &Config, config: &Config) {
        let Some(role) = self.role.filter(|_| wanted(before) != wanted(config)) else { return };
        if wanted(config).is_some() {
            self.set_role(now, config, role);
        } else {
            self.then(now, config, [STOP_BACKUP, STOP_MASTER].into());
        }
    }

    /// A child was reaped. False when it was not the program.
    pub fn child_ended(&mut self, now: Duration, pid: Pid, exit: Exit) -> bool {
        let is_ours = self.running.as_ref().is_some_and(|(_, run)| run.pid() == pid);
        if is_ours {
            self.ended(now, Some(exit));
        }
        is_ours
    }

    /// What to wait on.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().and_then(|(_, run)| run.descriptor())
    }

    /// When patience with the program ends.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.running.as_ref().map(|(_, run)| run.next_deadline())
    }

    /// Hears the program, and loses patience with it.
    pub fn proceed(&mut self, now: Duration) {
        if self.running.as_mut().is_some_and(|(_, run)| run.proceed(now)) {
            self.ended(now, None);
        }
    }

    /// Whether something is still to be done.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    fn then(&mut self, now: Duration, config: &Config, operations: VecDeque<Operation>) {
        self.next = Some(Batch { program: config.ipvsadm.clone(), operations });
        if self.current.is_none() {
            self.current = self.next.take().inspect(Batch::log);
        }
        self.go_on(now);
    }

    fn go_on(&mut self, now: Duration) {
        while self.running.is_none() {
            let Some(batch) = &mut self.current else { return };
            match batch.operations.pop_front() {
                Some(operation) => {
                    let program = batch.program.clone();
                    self.begin(now, &program, operation);
                }
                None => self.current = self.next.take().inspect(Batch::log),
            }
        }
    }

    fn begin(&mut self, now: Duration, program: &Text, operation: Operation) {
        if system::ipvs::is_kernel(program.as_os_str()) {
            return tell(&operation, by_kernel(&operation));
        }
        match Program::new(program.as_os_str()).start(now, &operation.arguments()) {
            Ok(run) => self.running = Some((operation, run)),
            Err(words) => tell(&operation, failed(&operation, words)),
        }
    }

    /// A program that hangs will hang again: what was to follow gives way to what is wanted by now.
    fn ended(&mut self, now: Duration, exit: Option<Exit>) {
        if let Some((operation, run)) = self.running.take() {
            let gives_way = run.is_killed() && self.next.is_some();
            if let Some(batch) = self.current.as_mut().filter(|_| gives_way) {
                batch.operations.clear();
            }
            tell(&operation, run.result(exit).or_else(|words| failed(&operation, words)));
        }
        self.go_on(now);
    }
}

impl Batch {
    fn log(&self) {
        for operation in &self.operations {
            log::debug!("DEBUG -- Executing 'ipvsadm {}'", operation.arguments().join(" "));
        }
    }
}

/// The daemon's interface and id, if lvs.cf asks for one.
fn wanted(config: &Config) -> Option<(String, u8)> {
    config.syncdaemon.then(|| (config.syncd_iface.to_string(), config.syncd_id as u8))
}

fn by_kernel(operation: &Operation) -> Result<(), String> {
    let mut kernel = system::ipvs::Kernel::open().map_err(|error| error.to_string())?;
    let results = ipvs::Backend::apply(&mut kernel, std::slice::from_ref(operation));
    results.into_iter().collect::<Result<(), _>>().map_err(|error| error.to_string())
}

fn failed(operation: &Operation, words: String) -> Result<(), String> {
    Err(Error::new(operation, ErrorKind::Program(words)).to_string())
}

/// A role that did not run cannot be stopped, and need not.
fn tell(operation: &Operation, result: Result<(), String>) {
    if let (Operation::StartSync(_), Err(error)) = (operation, result) {
        log::info!("cannot start the sync daemon: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use system::child;

    const START: Duration = Duration::from_secs(100);

    /// The program is `yes` for one that never ends, or `true`.
    fn config(program: &str) -> Config {
        Config { syncdaemon: true, ipvsadm: Text::from(program), ..Config::default() }
    }

    /// What runs, if anything.
    fn running(sync: &Sync) -> Option<&Operation> {
        sync.running.as_ref().map(|(operation, _)| operation)
    }

    fn starts(operation: &Operation, wanted: SyncRole) -> bool {
        matches!(operation, Operation::StartSync(SyncDaemon { role, .. }) if *role == wanted)
    }

    /// Waits for the end of what runs.
    fn reap(sync: &mut Sync, now: Duration) {
        let pid = sync.running.as_ref().unwrap().1.pid();
        let exit = loop {
            match child::reap_one(pid).unwrap() {
                Some(exit) => break exit,
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        assert!(sync.child_ended(now, pid, exit));
    }

    #[test]
    fn calls_follow_one_another_and_the_latest_role_comes_next() {
        let (config, mut sync) = (config("/bin/true"), Sync::new());
        for role in [SyncRole::Backup, SyncRole::Master, SyncRole::Backup, SyncRole::Master] {
            sync.set_role(START, &config, role);
        }
        for role in [SyncRole::Backup, SyncRole::Master] {
            assert_eq!(running(&sync), Some(&STOP_BACKUP));
            reap(&mut sync, START);
            assert_eq!(running(&sync), Some(&STOP_MASTER));
            reap(&mut sync, START);
            assert!(starts(running(&sync).unwrap(), role));
            assert!(sync.is_busy());
            reap(&mut sync, START);
        }
        assert!(!sync.is_busy() && running(&sync).is_none() && sync.next_deadline().is_none());
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_what_is_wanted_by_then_is_next() {
        let (hanging, mut sync) = (config("/usr/bin/yes"), Sync::new());
        sync.set_role(START, &hanging, SyncRole::Backup);
        sync.stop(START, &config("/bin/true"));
        let due = sync.next_deadline().unwrap();
        sync.proceed(due);
        reap(&mut sync, due);
        for stop in [STOP_BACKUP, STOP_MASTER] {
            assert_eq!(running(&sync), Some(&stop));
            reap(&mut sync, due);
        }
        assert!(!sync.is_busy());
    }

    #[test]
    fn a_file_that_changes_before_or_after_a_role_starts_nothing() {
        let (before, after) = (Config::default(), config("/bin/true"));
        let mut sync = Sync::new();
        sync.reload(START, &before, &after);
        assert!(!sync.is_busy());
        sync.set_role(START, &before, SyncRole::Backup);
        sync.stop(START, &before);
        sync.reload(START, &before, &after);
        assert!(!sync.is_busy());
    }
}
