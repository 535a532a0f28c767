use super::*;
use nix::sys::wait::WaitStatus;

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("piranha-{name}-{}.pid", std::process::id()))
}

#[test]
fn a_pid_file_is_written_locked_and_removed() {
    let path = temporary("life");
    std::fs::write(&path, "99999999 left over by a crash\n").unwrap();
    let held = PidFile::create(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    match PidFile::create(&path) {
        Err(error @ PidFileError::AlreadyRunning { .. }) => {
            assert!(error
                .to_string()
                .starts_with(&format!("already running as pid {} ", std::process::id())));
        }
        other => panic!("{other:?}"),
    }
    drop(held);
    assert!(!path.exists());
}

#[test]
fn a_pid_file_that_was_replaced_is_left_alone() {
    let path = temporary("replaced");
    let held = PidFile::create(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let successor = PidFile::create(&path).unwrap();
    drop(held);
    assert!(path.exists());
    drop(successor);
}

#[test]
fn a_pid_file_that_cannot_be_opened_says_so_as_the_original_does() {
    let error = PidFile::create("/nonexistent/x.pid").unwrap_err();
    assert_eq!(error.to_string(), "failed to open /nonexistent/x.pid: No such file or directory");
}

/// Runs `daemon` in a forked copy of this process as the starting command; returns the command's status.
fn status_of_start(daemon: fn(Readiness)) -> i32 {
    // SAFETY: the child calls only fork, dup2, open, setsid, write and _exit before it ends; the test
    // process may have other threads, but none of these needs a lock of theirs (no allocation is made
    // that glibc would not make fork-safe).
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            if let Ok(readiness) = daemonise(Detach::Fork) {
                daemon(readiness);
            }
            exit_now(77)
        }
        ForkResult::Parent { child } => match waitpid(child, None).unwrap() {
            WaitStatus::Exited(_, status) => status,
            other => panic!("{other:?}"),
        },
    }
}

#[test]
fn the_starting_command_exits_with_the_status_of_the_start() {
    assert_eq!(status_of_start(Readiness::ready), 0);
    assert_eq!(status_of_start(|readiness| readiness.fail(3)), 3);
    assert_eq!(status_of_start(drop), 1);
}
