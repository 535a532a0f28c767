//! How many descriptors this process may have open, and that its children get what it got itself.

use std::io;
use std::sync::OnceLock;

use nix::unistd::Pid;

/// The limits as they were before [`allow_many_descriptors`].
static FOUND: OnceLock<libc::rlimit> = OnceLock::new();

/// Raises the soft limit of open descriptors to the hard one. Children that [`crate::child::Spawn`] starts get the
/// limit as it was found: programs that use select(2), or close all numbers up to the limit, fare badly with a high
/// one.
///
/// # Errors
/// Those of prlimit(2).
pub fn allow_many_descriptors() -> io::Result<()> {
    let found = swap(Pid::this(), None)?;
    swap(Pid::this(), Some(&libc::rlimit { rlim_cur: found.rlim_max, ..found }))?;
    let _ = FOUND.set(found);
    Ok(())
}

/// Gives a child the limit that this process had. It may have ended already.
pub(crate) fn restore_for(child: Pid) {
    if let Some(found) = FOUND.get() {
        let _ = swap(child, Some(found));
    }
}

/// Sets the limits of a process, if there are new ones, and returns those it had.
fn swap(process: Pid, new: Option<&libc::rlimit>) -> io::Result<libc::rlimit> {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let new = new.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: prlimit(2) reads `new`, which is null or a reference, and writes `old`, which is ours alone.
    match unsafe { libc::prlimit(process.as_raw(), libc::RLIMIT_NOFILE, new, &mut old) } {
        0 => Ok(old),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::{kill, Signal, Spawn};

    #[test]
    fn this_process_gets_the_hard_limit_and_its_children_what_it_had() {
        let before = swap(Pid::this(), None).unwrap();
        allow_many_descriptors().unwrap();
        let after = swap(Pid::this(), None).unwrap();
        assert_eq!((after.rlim_cur, after.rlim_max), (before.rlim_max, before.rlim_max));
        for light in [false, true] {
            let sleep =
                Spawn { arguments: vec!["60".into()], light, search_path: true, ..Spawn::new("sleep") };
            let child = sleep.spawn().unwrap().pid;
            let limit = swap(child, None).unwrap();
            kill(child, Signal::SIGKILL).unwrap();
            assert_eq!(
                (limit.rlim_cur, limit.rlim_max),
                (before.rlim_cur, before.rlim_max),
                "light: {light}"
            );
            nix::sys::wait::waitpid(child, None).unwrap();
        }
    }
}
