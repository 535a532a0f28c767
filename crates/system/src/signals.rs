//! Signals as a readable descriptor.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use nix::sys::signal::{sigprocmask, SigHandler, SigSet, SigmaskHow, Signal};
use signal_hook::low_level;

/// Numbers of the signals that daemons deal with.
pub use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2};

/// One more than the highest signal number of Linux.
const SIGNALS: usize = 65;

struct Shared {
    pending: [AtomicBool; SIGNALS],
    writer: UnixStream,
}

/// The signals that this process handles itself. Each arrival makes [`Signals::fd`] readable.
pub struct Signals {
    reader: UnixStream,
    shared: Arc<Shared>,
    handled: Vec<i32>,
}

impl Signals {
    /// Takes over the given signals for the rest of the life of the process, and unblocks them: a mask
    /// inherited from the parent would otherwise hide a TERM for ever.
    ///
    /// # Errors
    /// `EINVAL` for a signal that cannot be handled (KILL, STOP, SEGV, FPE, ILL), else those of
    /// socketpair(2) and sigaction(2).
    pub fn install(signals: &[i32]) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        let shared = Arc::new(Shared { pending: [const { AtomicBool::new(false) }; SIGNALS], writer });
        let mut handled = signals.to_vec();
        handled.sort_unstable();
        handled.dedup();
        for &signal in &handled {
            handle(signal, Arc::clone(&shared))?;
        }
        unblock(&handled)?;
        Ok(Signals { reader, shared, handled })
    }

    /// Readable while signals wait to be taken.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }

    /// The signals that arrived since the last call, each once, in order of number.
    pub fn take(&self) -> Vec<i32> {
        let mut sink = [0; 64];
        // The pipe before the flags: a signal that arrives in between leaves a byte too many, not one too few.
        while matches!((&self.reader).read(&mut sink), Ok(count) if count > 0) {}
        let arrived = |signal: &i32| self.shared.pending[*signal as usize].swap(false, Ordering::SeqCst);
        self.handled.iter().copied().filter(arrived).collect()
    }
}

fn handle(signal: i32, shared: Arc<Shared>) -> io::Result<()> {
    let valid = usize::try_from(signal).is_ok_and(|number| (1..SIGNALS).contains(&number));
    if !valid || signal_hook::consts::FORBIDDEN.contains(&signal) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let action = move || {
        shared.pending[signal as usize].store(true, Ordering::SeqCst);
        // SAFETY: the descriptor is open as long as `shared` lives, which this closure keeps alive; one
        // byte is read from a static. A full pipe is fine: the reader will wake anyway.
        unsafe {
            libc::send(
                shared.writer.as_raw_fd(),
                b"s".as_ptr().cast(),
                1,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
    };
    // SAFETY: the action only stores to an atomic and calls send(2): both are async-signal-safe; it does
    // not allocate, lock or panic (the index was checked above).
    unsafe { low_level::register(signal, action) }?;
    Ok(())
}

fn unblock(signals: &[i32]) -> io::Result<()> {
    let known = signals.iter().filter_map(|&signal| Signal::try_from(signal).ok());
    sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&known.collect::<SigSet>()), None)?;
    Ok(())
}

/// Unblocks every signal: the mask is inherited through fork and exec, and a parent may have left some
/// blocked (the original lvsd does).
///
/// # Errors
/// Those of sigprocmask(2).
pub fn unblock_all() -> io::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// Ignores a signal from now on.
///
/// # Errors
/// Those of sigaction(2); `EINVAL` for an unknown number.
pub fn ignore(signal: i32) -> io::Result<()> {
    let signal = Signal::try_from(signal)?;
    // SAFETY: SIG_IGN installs no handler code.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll;
    use std::time::Duration;

    #[test]
    fn signals_arrive_once_and_in_order() {
        let signals = Signals::install(&[libc::SIGUSR2, libc::SIGUSR1]).unwrap();
        for signal in [libc::SIGUSR2, libc::SIGUSR1, libc::SIGUSR2] {
            low_level::raise(signal).unwrap();
        }
        assert!(poll::wait(&[signals.fd()], None).unwrap()[0].readable);
        assert_eq!(signals.take(), [libc::SIGUSR1, libc::SIGUSR2]);
        assert_eq!(signals.take(), []);
        assert_eq!(poll::wait(&[signals.fd()], Some(Duration::ZERO)).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_handled_is_an_error() {
        for signal in [libc::SIGKILL, libc::SIGSEGV, 0, -1, 99] {
            assert!(Signals::install(&[signal]).is_err(), "signal {signal}");
        }
    }
}
