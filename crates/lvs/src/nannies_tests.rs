//! Programs of a site in nanny's place.

use std::path::PathBuf;

use lvs_cf::Text;
use system::child::Exit;

use super::*;
use crate::command::Command;

/// Long enough for anything here.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nannies-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    /// What starts a shell script in this directory as the monitor of a service with a sorry server.
    fn monitor(&self, script: &str) -> Start {
        let script = format!("cd {}; {script}", self.0.display());
        Start {
            id: 1,
            service: Text::from("web"),
            server: Text::from("r1"),
            command: Command { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] },
            resume: false,
            check_limit: LIMIT,
            overheard: true,
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = clock::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// As the original's nanny does: it logs its end, more than a pipe holds if need be, and only then edits the table.
#[test]
fn a_monitor_that_is_to_end_may_still_log() {
    let directory = Directory::new("end");
    let script = "trap 'echo Terminating; head -c 100000 /dev/zero; : >removed; exit 0' TERM; : >ready
        while :; do sleep 0.01; done";
    let (mut nannies, mut poller) = (Nannies::default(), Poller::new());
    let pid = nannies.start(&directory.monitor(script), &mut poller).unwrap();
    wait_for("the monitor", || directory.has("ready").then_some(()));
    nannies.stop(1, clock::now(), &mut poller);
    let exit = wait_for("its end", || child::reap_one(pid).unwrap());
    assert_eq!((exit, directory.has("removed")), (Exit::Status(0), true));
    nannies.ended(pid, &mut poller);
    assert!(nannies.is_empty());
}
