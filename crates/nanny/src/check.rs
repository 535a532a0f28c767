//! Checks over the network.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use health::{Endpoint, Expectation, Judgement, Message, Verdict};
use system::poll::Interest;
use system::regex::Regex;
use system::{clock, errno, net_check};

use crate::cli::Service;
use crate::wait::{End, Waiter, Woken};
use crate::{debug, log};

/// Checks one service over TCP or UDP.
pub struct Checker {
    server: Endpoint,
    udp: bool,
    timeout: Duration,
    send: Option<Vec<u8>>,
    expectation: Expectation,
    /// The regular expression, or what is wrong with it.
    pattern: Option<Result<Regex, String>>,
}

/// Why a check failed: what to log, if anything.
type Failure = Option<Message>;
/// A step of a check: the inner result is the service's, the outer error ends nanny.
type Step<T> = Result<Result<T, Failure>, End>;

/// Goes on with the value of a step, or ends the check with its failure.
macro_rules! step {
    ($step:expr) => {
        match $step? {
            Ok(value) => value,
            Err(failure) => return Ok(Err(failure)),
        }
    };
}

impl Checker {
    /// A checker of `service` on `server`; each wait within a check takes at most `timeout`.
    pub fn new(server: Endpoint, service: &Service, timeout: Duration) -> Self {
        let pattern = service.expect.as_deref().filter(|_| service.regex && service.program.is_none());
        Checker {
            server,
            udp: service.udp,
            timeout,
            send: service.send.clone(),
            expectation: Expectation::new(service.expect.as_deref(), service.regex),
            pattern: pattern.map(|text| Regex::new(text).map_err(|reason| reason.to_string())),
        }
    }

    /// Checks the service once.
    ///
    /// # Errors
    /// Why nanny must end.
    pub fn check(&self, waiter: &mut Waiter, buffer: &mut [u8]) -> Result<Verdict, End> {
        let outcome = match &self.pattern {
            Some(Err(reason)) => Err(Some(Message::BadPattern(reason.clone()))),
            _ if self.udp => self.udp(waiter, buffer)?,
            _ => self.tcp(waiter, buffer)?,
        };
        Ok(match outcome {
            Ok(()) => Verdict::Up,
            Err(failure) => {
                failure.iter().for_each(log);
                match failure {
                    Some(Message::CannotCheck(..)) => Verdict::Unknown,
                    _ => Verdict::Down,
                }
            }
        })
    }

    fn address(&self) -> SocketAddr {
        (self.server.address, self.server.port).into()
    }

    fn tcp(&self, waiter: &mut Waiter, buffer: &mut [u8]) -> Step<()> {
        debug(|| Message::OpeningTcp(self.server.port));
        let stream = step!(self.connect(waiter));
        if let Some(text) = &self.send {
            debug(|| Message::Sending(lossy(text)));
            step!(self.write(waiter, &stream, text));
        }
        match self.expectation {
            Expectation::Nothing => Ok(Ok(())),
            _ => self.read(waiter, &stream, buffer),
        }
    }

    fn connect(&self, waiter: &mut Waiter) -> Step<TcpStream> {
        debug(|| Message::Connecting);
        let stream = match net_check::tcp_connect(self.address()) {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(Some(self.not_begun(&error)))),
        };
        debug(|| Message::AwaitingConnection);
        let deadline = clock::now() + self.timeout;
        if !ready(waiter, stream.as_fd(), Interest::Write, deadline)? {
            return Ok(Err(Some(Message::ConnectTimeout(self.server))));
        }
        Ok(match stream.take_error() {
            Ok(None) => Ok(stream),
            Ok(Some(error)) | Err(error) => Err(Some(self.connect_failed(&error))),
        })
    }

    fn connect_failed(&self, error: &io::Error) -> Message {
        Message::ConnectFailed(self.server, errno::text(error))
    }

    /// What an error means that came before anything could go out to the server.
    fn not_begun(&self, error: &io::Error) -> Message {
        match errno::is_shortage(error) {
            true => Message::CannotCheck(self.server, errno::text(error)),
            false => self.connect_failed(error),
        }
    }

    fn write(&self, waiter: &mut Waiter, mut stream: &TcpStream, mut text: &[u8]) -> Step<()> {
        let failed = |error: &io::Error| Some(Message::WriteError(self.server, errno::text(error)));
        let deadline = clock::now() + self.timeout;
        while !text.is_empty() {
            match stream.write(text) {
                Ok(count) => text = &text[count..],
                Err(error) if again(&error) => {
                    if !ready(waiter, stream.as_fd(), Interest::Write, deadline)? {
                        return Ok(Err(failed(&io::Error::from_raw_os_error(TIMED_OUT))));
                    }
                }
                Err(error) => return Ok(Err(failed(&error))),
            }
        }
        Ok(Ok(()))
    }

    /// Reads until the reply can be judged, it ends, or the time is over.
    fn read(&self, waiter: &mut Waiter, mut stream: &TcpStream, buffer: &mut [u8]) -> Step<()> {
        let deadline = clock::now() + self.timeout;
        let length = self.expectation.length().min(buffer.len());
        let mut received = 0;
        loop {
            debug(|| Message::AwaitingReply);
            let in_time = ready(waiter, stream.as_fd(), Interest::Read, deadline)?;
            if !in_time && received == 0 {
                return Ok(Err(Some(Message::ReadTimeout(self.server))));
            }
            debug(|| Message::Reading(length - received));
            // An empty expectation asks for no byte, only for the stream to become readable.
            let count = match in_time && length > 0 {
                true => stream.read(&mut buffer[received..length]),
                false => Ok(0),
            };
            match count {
                Ok(count) => {
                    debug(|| Message::Received(count));
                    received += count;
                    if let Some(outcome) = self.judge(&buffer[..received], count == 0) {
                        return Ok(outcome);
                    }
                }
                Err(error) if again(&error) => {}
                Err(error) => return Ok(Err(Some(read_error(&error)))),
            }
        }
    }

    /// The verdict on a reply, once there is one.
    fn judge(&self, received: &[u8], ended: bool) -> Option<Result<(), Failure>> {
        if let Expectation::Prefix(text) = &self.expectation {
            debug(|| Message::Expecting(lossy(text)));
        }
        debug(|| Message::Got(lossy(received)));
        let matches = |text: &[u8]| match &self.pattern {
            Some(Ok(regex)) => regex.is_match(text),
            _ => false,
        };
        match self.expectation.judge(received, ended, matches) {
            Judgement::Match => Some(Ok(())),
            Judgement::Mismatch => Some(Err(None)),
            Judgement::TooShort => Some(Err(Some(Message::TooShort {
                server: self.server,
                received: received.len(),
                expected: self.expectation.length(),
            }))),
            Judgement::More => None,
        }
    }

    /// Sends the text, if there is one, and judges the first datagram that comes back.
    fn udp(&self, waiter: &mut Waiter, buffer: &mut [u8]) -> Step<()> {
        debug(|| Message::OpeningUdp(self.server.port));
        let socket = match net_check::udp_connect(self.address()) {
            Ok(socket) => socket,
            Err(error) => return Ok(Err(Some(self.not_begun(&error)))),
        };
        if let Some(text) = &self.send {
            debug(|| Message::Sending(lossy(text)));
            if let Err(error) = socket.send(text) {
                return Ok(Err(Some(Message::WriteError(self.server, errno::text(&error)))));
            }
        }
        let received = step!(self.datagram(waiter, &socket, buffer));
        Ok(match self.expectation {
            // A datagram has come, and be it an empty one.
            Expectation::Nothing | Expectation::Anything => Ok(()),
            _ => self.judge(received, true).unwrap_or(Err(None)),
        })
    }

    fn datagram<'a>(&self, waiter: &mut Waiter, socket: &UdpSocket, buffer: &'a mut [u8]) -> Step<&'a [u8]> {
        let deadline = clock::now() + self.timeout;
        debug(|| Message::AwaitingReply);
        loop {
            if !ready(waiter, socket.as_fd(), Interest::Read, deadline)? {
                return Ok(Err(Some(Message::ReadTimeout(self.server))));
            }
            match socket.recv(buffer) {
                Ok(count) => return Ok(Ok(&buffer[..count])),
                Err(error) if again(&error) => {}
                Err(error) => return Ok(Err(Some(read_error(&error)))),
            }
        }
    }
}

/// ETIMEDOUT; the same number on all of Linux's common architectures.
const TIMED_OUT: i32 = 110;

/// Waits for a descriptor; false if it did not become ready in time.
fn ready(
    waiter: &mut Waiter,
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Duration,
) -> Result<bool, End> {
    loop {
        match waiter.wait(Some((fd, interest)), Some(deadline))? {
            Woken::Ready => return Ok(true),
            Woken::Timeout => return Ok(false),
            Woken::Signal => {}
        }
    }
}

/// Whether a call on a non-blocking socket has to be made again later.
fn again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn read_error(error: &io::Error) -> Message {
    Message::ReadError(errno::number(error), errno::text(error))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
