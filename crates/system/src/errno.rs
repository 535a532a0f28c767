//! Error texts as C programs print them.

use std::io;
use std::time::Duration;

/// What a shortage has prevented is tried again after this.
pub const SHORTAGE_PAUSE: Duration = Duration::from_secs(5);

/// The C library's text for an error, e.g. `Connection refused`.
///
/// The standard library appends ` (os error 111)`, which the originals' messages do not have.
pub fn text(error: &io::Error) -> String {
    let full = error.to_string();
    match error.raw_os_error() {
        Some(number) => full.trim_end_matches(&format!(" (os error {number})")).to_owned(),
        None => full,
    }
}

/// The error number, or 0 for an error that did not come from the kernel.
pub fn number(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

/// Whether the same may work later: there was no process, descriptor or memory left.
pub fn is_shortage(error: &io::Error) -> bool {
    use libc::{EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(error.raw_os_error(), Some(EAGAIN | EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_strerror() {
        assert_eq!(text(&io::Error::from_raw_os_error(libc::ECONNREFUSED)), "Connection refused");
        assert_eq!(text(&io::Error::from_raw_os_error(libc::ECONNRESET)), "Connection reset by peer");
        assert_eq!(text(&io::Error::other("no such thing")), "no such thing");
        assert_eq!(number(&io::Error::from_raw_os_error(libc::ENOENT)), 2);
    }
}
