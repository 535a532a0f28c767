//! Waiting for descriptors, to the nanosecond, with poll(2)'s meaning.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// What to wait for on a descriptor. An error or a hang-up always ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Data, a connection to accept, or end of file.
    Read,
    /// Room to write, or the end of a connection attempt.
    Write,
    /// Nothing but that: for the writing end of a pipe, whose reader may go.
    HangUp,
}

/// One descriptor on which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The token it was registered with; for [`wait`], its position in the slice.
    pub token: usize,
    /// A read will not block: there is data, end of file or an error.
    pub readable: bool,
    /// A write will not block.
    pub writable: bool,
    /// The other end is gone, or the descriptor is in error or not open.
    pub closed: bool,
}

/// A list of descriptors to wait for, reusable from turn to turn without allocating.
///
/// Descriptors are kept by number: deregister one before it is closed.
#[derive(Debug, Default)]
pub struct Poller {
    descriptors: Vec<libc::pollfd>,
    tokens: Vec<usize>,
    ready: Vec<Ready>,
}

impl Poller {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a descriptor. `token` is the caller's name for it; it is handed back in [`Ready`].
    pub fn register(&mut self, token: usize, descriptor: BorrowedFd<'_>, interest: Interest) {
        let events = match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
            Interest::HangUp => 0,
        };
        self.descriptors.push(libc::pollfd { fd: descriptor.as_raw_fd(), events, revents: 0 });
        self.tokens.push(token);
    }

    /// Removes every descriptor registered under `token`.
    pub fn deregister(&mut self, token: usize) {
        while let Some(index) = self.tokens.iter().position(|&known| known == token) {
            self.tokens.swap_remove(index);
            self.descriptors.swap_remove(index);
        }
    }

    /// Empties the list, keeping its memory.
    pub fn clear(&mut self) {
        self.descriptors.clear();
        self.tokens.clear();
    }

    /// Waits until something is ready or `timeout` is over (`None`: for ever; zero: does not wait).
    ///
    /// An interruption by a signal is "nothing ready". The wait never ends before the timeout.
    ///
    /// # Errors
    /// Those of ppoll(2), but for `EINTR`.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<&[Ready]> {
        self.ready.clear();
        if poll(&mut self.descriptors, timeout)? > 0 {
            let pairs = self.descriptors.iter().zip(&self.tokens);
            self.ready.extend(pairs.filter_map(|(descriptor, &token)| outcome(descriptor, token)));
        }
        Ok(&self.ready)
    }
}

/// Waits until one of `descriptors` is readable, or `timeout` is over. See [`Poller::wait`].
///
/// # Errors
/// Those of ppoll(2), but for `EINTR`.
pub fn wait(descriptors: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
    let mut poller = Poller::new();
    for (token, &descriptor) in descriptors.iter().enumerate() {
        poller.register(token, descriptor, Interest::Read);
    }
    poller.wait(timeout)?;
    Ok(poller.ready)
}

fn poll(descriptors: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = descriptors.len() as libc::nfds_t;
    // SAFETY: the slice is valid for `count` entries and exclusively borrowed; `timeout` is null or points
    // to a timespec that lives to the end of this function; a null mask leaves the signal mask alone.
    let result = unsafe { libc::ppoll(descriptors.as_mut_ptr(), count, timeout, std::ptr::null()) };
    match usize::try_from(result) {
        Ok(ready) => Ok(ready),
        Err(_) => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            error => Err(error),
        },
    }
}

fn outcome(descriptor: &libc::pollfd, token: usize) -> Option<Ready> {
    let happened = |events: libc::c_short| descriptor.revents & events != 0;
    let closed = happened(libc::POLLHUP | libc::POLLERR | libc::POLLNVAL);
    (descriptor.revents != 0).then(|| Ready {
        token,
        readable: closed || happened(libc::POLLIN),
        writable: happened(libc::POLLOUT),
        closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    #[test]
    fn tells_which_descriptor_is_readable() {
        let (quiet, _keep) = UnixStream::pair().unwrap();
        let (busy, mut peer) = UnixStream::pair().unwrap();
        peer.write_all(b"x").unwrap();
        let ready = wait(&[quiet.as_fd(), busy.as_fd()], None).unwrap();
        assert_eq!(ready, [Ready { token: 1, readable: true, writable: false, closed: false }]);
    }

    #[test]
    fn a_timeout_is_not_shortened() {
        let (quiet, _keep) = UnixStream::pair().unwrap();
        let timeout = Duration::from_micros(1500);
        let start = Instant::now();
        assert_eq!(wait(&[quiet.as_fd()], Some(timeout)).unwrap(), []);
        assert!(start.elapsed() >= timeout);
    }

    #[test]
    fn a_writer_learns_that_its_reader_is_gone() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let mut poller = Poller::new();
        poller.register(0, writer.as_fd(), Interest::HangUp);
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
        drop(reader);
        assert!(poller.wait(None).unwrap()[0].closed);
    }

    #[test]
    fn a_poller_is_reusable() {
        let (one, peer) = UnixStream::pair().unwrap();
        let mut poller = Poller::new();
        poller.register(7, one.as_fd(), Interest::Write);
        poller.register(8, one.as_fd(), Interest::Read);
        let ready = poller.wait(Some(Duration::ZERO)).unwrap();
        assert_eq!(ready.iter().map(|ready| ready.token).collect::<Vec<_>>(), [7]);
        poller.deregister(7);
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
        drop(peer);
        let ready = poller.wait(None).unwrap();
        assert_eq!(ready, [Ready { token: 8, readable: true, writable: false, closed: true }]);
    }
}
