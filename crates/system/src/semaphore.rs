//! The named semaphore by which late originals' pulse waits for its lvsd.

use std::ffi::CStr;
use std::io;

/// Posts the semaphore once and removes its name. Where nobody created it, nobody waits: nothing happens.
///
/// # Errors
///
/// Those of sem_open(3), but for `ENOENT`, and of sem_post(3).
pub fn post_and_unlink(name: &CStr) -> io::Result<()> {
    // SAFETY: the name is NUL-terminated; without O_CREAT there are no further arguments.
    let semaphore = unsafe { libc::sem_open(name.as_ptr(), 0) };
    if semaphore == libc::SEM_FAILED {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    }
    // SAFETY: `semaphore` was just opened, and is closed here and used no more.
    let posted = unsafe {
        let posted = libc::sem_post(semaphore);
        libc::sem_close(semaphore);
        libc::sem_unlink(name.as_ptr());
        posted
    };
    if posted < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
