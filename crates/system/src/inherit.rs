//! A descriptor that the parent left open for this process, named by an environment variable.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag};

/// Takes the descriptor whose number stands in `variable`. It is closed on exec from now on. None when the
/// variable is unset, is no number above 2, or names no open descriptor.
///
/// Call it once for each variable, before anything else opens descriptors.
pub fn descriptor(variable: &str) -> Option<OwnedFd> {
    let number: RawFd = std::env::var(variable).ok()?.parse().ok()?;
    if number <= 2 {
        return None;
    }
    // SAFETY: no part of this process owns a descriptor above 2 that it did not open itself, and this function
    // is called before it opens any; a number that is not open is found out below, before anything is done.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match nix::fcntl::fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
        Ok(_) => Some(descriptor),
        Err(_) => {
            // Not open: dropping it would close what somebody else opens under this number.
            let _ = std::os::fd::IntoRawFd::into_raw_fd(descriptor);
            None
        }
    }
}

/// The number under which a child will know `descriptor`.
pub fn number(descriptor: &OwnedFd) -> String {
    descriptor.as_raw_fd().to_string()
}
