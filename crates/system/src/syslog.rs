//! Sending to the syslog without being held up by it.
//!
//! syslog(3) waits for ever when the receiver does not read: a hanging syslogd would hold the heartbeats back, and the
//! partner would take over. A receiver that is merely behind gets its moment here, one that hangs does not get it twice:
//! what it does not take is lost, and counted.

use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::poll::{Interest, Poller};

/// How long a receiver may be behind. Heartbeats are a second apart, and deadtimes several.
const MOMENT: Duration = Duration::from_millis(100);

/// Where the receiver listens.
const SOCKET: &str = "/dev/log";

const FACILITY_USER: u8 = 1;
const FACILITY_DAEMON: u8 = 3;
const INFO: u8 = 6;

/// The way to the receiver: mostly datagrams, with some receivers a stream.
#[derive(Debug)]
enum Connection {
    Datagrams(UnixDatagram),
    Stream(UnixStream),
}

/// A sender.
#[derive(Debug)]
pub(crate) struct Syslog {
    path: PathBuf,
    connection: Option<Connection>,
    /// What stands before the text, behind the time: who sends.
    sender: String,
    facility: u8,
    /// Messages that were not taken since the last one that was. There is no waiting while there are any.
    lost: u64,
}

impl Syslog {
    /// As any program's messages: facility user, the program's own name.
    pub fn new() -> Syslog {
        let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Syslog { path: SOCKET.into(), connection: None, sender: name, facility: FACILITY_USER, lost: 0 }
    }

    /// From now on facility daemon, with this name and the pid.
    pub fn open(&mut self, ident: &str) {
        self.sender = format!("{ident}[{}]", std::process::id());
        self.facility = FACILITY_DAEMON;
        // Now, and not with the first message: there may be no descriptor left by then.
        self.connection = self.connection.take().or_else(|| connect(&self.path).ok());
    }

    /// Sends a text of one line at priority info.
    pub fn send(&mut self, text: &str) {
        if self.lost > 0 {
            let report = format!("{} messages are missing here: the syslog did not take them", self.lost);
            if self.deliver(&report).is_ok() {
                self.lost = 0;
            }
        }
        if self.deliver(text).is_err() {
            self.lost += 1;
        }
    }

    /// A receiver that was started again is connected to again, once.
    fn deliver(&mut self, text: &str) -> io::Result<()> {
        let priority = self.facility * 8 + INFO;
        let message = format!("<{priority}>{} {}: {text}", timestamp(), self.sender);
        let patience = if self.lost == 0 { MOMENT } else { Duration::ZERO };
        if let Some(connection) = &mut self.connection {
            match connection.send(&message, patience) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.connection = None,
                result => return result,
            }
        }
        self.connection.insert(connect(&self.path)?).send(&message, patience)
    }
}

impl Connection {
    fn send(&mut self, message: &str, patience: Duration) -> io::Result<()> {
        match self.send_now(message) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !patience.is_zero() => {
                let mut poller = Poller::new();
                poller.register(0, self.as_fd(), Interest::Write);
                poller.wait(Some(patience))?;
                self.send_now(message)
            }
            result => result,
        }
    }

    fn send_now(&mut self, message: &str) -> io::Result<()> {
        match self {
            Connection::Datagrams(socket) => socket.send(message.as_bytes()).map(drop),
            Connection::Stream(stream) => {
                // Each message ends in a NUL. A part of one would spoil the next: then the connection is given up.
                let bytes = [message.as_bytes(), b"\0"].concat();
                match stream.write(&bytes)? {
                    length if length == bytes.len() => Ok(()),
                    _ => Err(io::ErrorKind::WriteZero.into()),
                }
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Connection::Datagrams(socket) => socket.as_fd(),
            Connection::Stream(stream) => stream.as_fd(),
        }
    }
}

fn connect(path: &PathBuf) -> io::Result<Connection> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match socket.connect(path) {
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            Ok(Connection::Stream(stream))
        }
        result => result.map(|()| Connection::Datagrams(socket)),
    }
}

/// Local time as receivers expect it (RFC 3164 §4.1.2): `Nov  5 07:08:09`.
fn timestamp() -> String {
    let mut buffer = [0_u8; 32];
    // SAFETY: time(2) with no place for a copy; localtime_r(3) gets a time and room for its result, for which all-zero
    // bytes are a value; strftime(3) writes at most `buffer.len()` bytes, the NUL included, or returns 0.
    unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut local = std::mem::zeroed::<libc::tm>();
        if !libc::localtime_r(&now, &mut local).is_null() {
            libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), c"%h %e %T".as_ptr(), &local);
        }
    }
    let text = CStr::from_bytes_until_nul(&buffer);
    text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
#[path = "syslog_tests.rs"]
mod tests;
