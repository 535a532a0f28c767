//! Clients: a prober that asks in a fixed rhythm and counts what it loses, and a long conversation.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::socket::{connect, socket, AddressFamily, SockFlag, SockType, SockaddrIn};

use crate::host::Host;
use crate::journal::Journal;

/// A request without an answer after this time is lost. Less than the second after which TCP repeats a
/// connection request, so that every probe is sent exactly once.
const PATIENCE: Duration = Duration::from_millis(800);

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A new connection, an HTTP request and its answer.
    Tcp,
    /// A datagram from a new port, and its answer.
    Udp,
}

/// What became of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The named server answered.
    Answered(String),
    /// No answer, for this reason.
    Lost(String),
}

/// A probe and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When it was sent, in the journal's time.
    pub at: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a prober saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Time between two probes.
    pub interval: Duration,
    /// All probes in the order in which they were sent.
    pub samples: Vec<Sample>,
}

impl Report {
    /// Only what was sent at or after `since`.
    pub fn since(&self, since: Duration) -> Report {
        let samples = self.samples.iter().filter(|sample| sample.at >= since).cloned().collect();
        Report { interval: self.interval, samples }
    }

    /// How many probes found no answer.
    pub fn lost(&self) -> usize {
        self.samples.iter().filter(|sample| matches!(sample.outcome, Outcome::Lost(_))).count()
    }

    /// The lost probes: when they were sent, and why they count as lost.
    pub fn losses(&self) -> Vec<(Duration, &str)> {
        let losses = self.samples.iter().filter_map(|sample| match &sample.outcome {
            Outcome::Lost(reason) => Some((sample.at, reason.as_str())),
            Outcome::Answered(_) => None,
        });
        losses.collect()
    }

    /// How many probes each server answered.
    pub fn by_server(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for sample in &self.samples {
            if let Outcome::Answered(server) = &sample.outcome {
                *count.entry(server.clone()).or_insert(0) += 1;
            }
        }
        count
    }

    /// The longest time without service: from the first to the last of consecutive lost probes, and the
    /// interval until the next.
    pub fn longest_gap(&self) -> Duration {
        let mut longest = Duration::ZERO;
        let mut first_lost = None;
        for sample in &self.samples {
            match sample.outcome {
                Outcome::Answered(_) => first_lost = None,
                Outcome::Lost(_) => {
                    let first = *first_lost.get_or_insert(sample.at);
                    longest = longest.max(sample.at - first + self.interval);
                }
            }
        }
        longest
    }

    /// When the last probe was sent that found no answer.
    pub fn last_loss(&self) -> Option<Duration> {
        let lost = self.samples.iter().rev().find(|sample| matches!(sample.outcome, Outcome::Lost(_)));
        lost.map(|sample| sample.at)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} lost, longest gap {} ms; answered by {:?}",
            self.samples.len(),
            self.lost(),
            self.longest_gap().as_millis(),
            self.by_server()
        )
    }
}

/// Sends a probe every interval, whatever became of the earlier ones.
#[derive(Debug)]
pub struct Prober {
    interval: Duration,
    samples: Arc<Mutex<Vec<Sample>>>,
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    /// Starts probing `target` from `host`.
    pub fn start(host: &Host, probe: Probe, target: SocketAddrV4, interval: Duration) -> Prober {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let running = Arc::new(AtomicBool::new(true));
        let round = Round {
            probe,
            target,
            interval,
            journal: host.journal().clone(),
            samples: samples.clone(),
            attempts: Vec::new(),
            next_slot: 0,
        };
        let keep_on = running.clone();
        let thread = host.run(move || thread::spawn(move || round.run(&keep_on)));
        Prober { interval, samples, running, thread: Some(thread) }
    }

    /// What was seen until now. Ends at the first probe whose outcome is still open.
    pub fn report(&self) -> Report {
        let samples = self.samples.lock().unwrap();
        let settled = samples.iter().take_while(|sample| sample.outcome != open()).cloned().collect();
        Report { interval: self.interval, samples: settled }
    }

    /// Stops asking, waits for the answers under way and returns what was seen.
    pub fn stop(mut self) -> Report {
        self.finish();
        self.report()
    }

    fn finish(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The outcome of a probe that is under way.
fn open() -> Outcome {
    Outcome::Lost(String::new())
}

struct Round {
    probe: Probe,
    target: SocketAddrV4,
    interval: Duration,
    journal: Journal,
    samples: Arc<Mutex<Vec<Sample>>>,
    attempts: Vec<Attempt>,
    next_slot: usize,
}

impl Round {
    fn run(mut self, keep_on: &AtomicBool) {
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next && keep_on.load(Ordering::Relaxed) {
                self.launch();
                // A prober that was held up does not catch up with a burst.
                next = (next + self.interval).max(now);
            }
            if self.attempts.is_empty() && !keep_on.load(Ordering::Relaxed) {
                return;
            }
            self.wait(next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
            self.give_up();
        }
    }

    fn launch(&mut self) {
        let slot = self.next_slot;
        self.next_slot += 1;
        let sample = Sample { at: self.journal.now(), outcome: open() };
        self.samples.lock().unwrap().push(sample);
        match Attempt::start(self.probe, self.target, slot) {
            Ok(attempt) => self.attempts.push(attempt),
            Err(error) => self.settle(slot, Outcome::Lost(error.to_string())),
        }
    }

    fn settle(&self, slot: usize, outcome: Outcome) {
        self.samples.lock().unwrap()[slot].outcome = outcome;
    }

    fn wait(&mut self, limit: Duration) {
        let mut ready: Vec<PollFd> =
            self.attempts.iter().map(|attempt| PollFd::new(attempt.fd(), attempt.waits_for())).collect();
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        if poll(&mut ready, limit).unwrap_or(0) == 0 {
            return;
        }
        let ready: Vec<bool> = ready.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let attempts = std::mem::take(&mut self.attempts);
        for (mut attempt, ready) in attempts.into_iter().zip(ready) {
            match if ready { attempt.advance() } else { Ok(None) } {
                Ok(None) => self.attempts.push(attempt),
                Ok(Some(server)) => self.settle(attempt.slot, Outcome::Answered(server)),
                Err(error) => self.settle(attempt.slot, Outcome::Lost(error.to_string())),
            }
        }
    }

    fn give_up(&mut self) {
        let (late, rest) =
            std::mem::take(&mut self.attempts).into_iter().partition(|attempt| attempt.is_late());
        self.attempts = rest;
        let late: Vec<Attempt> = late;
        for attempt in late {
            self.settle(attempt.slot, Outcome::Lost("no answer".into()));
        }
    }
}

enum Socket {
    Connecting(TcpStream),
    Connected(TcpStream),
    Datagram(UdpSocket),
}

struct Attempt {
    slot: usize,
    since: Instant,
    socket: Socket,
    reply: Vec<u8>,
}

impl Attempt {
    fn start(probe: Probe, target: SocketAddrV4, slot: usize) -> io::Result<Attempt> {
        let socket = match probe {
            Probe::Tcp => Socket::Connecting(start_connection(target)?),
            Probe::Udp => {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                socket.set_nonblocking(true)?;
                socket.connect(target)?;
                socket.send(b"probe")?;
                Socket::Datagram(socket)
            }
        };
        Ok(Attempt { slot, since: Instant::now(), socket, reply: Vec::new() })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Connecting(stream) | Socket::Connected(stream) => stream.as_fd(),
            Socket::Datagram(socket) => socket.as_fd(),
        }
    }

    fn waits_for(&self) -> PollFlags {
        match self.socket {
            Socket::Connecting(_) => PollFlags::POLLOUT,
            _ => PollFlags::POLLIN,
        }
    }

    fn is_late(&self) -> bool {
        self.since.elapsed() > PATIENCE
    }

    /// Takes the next step; the server's name when the answer is complete.
    fn advance(&mut self) -> io::Result<Option<String>> {
        match &mut self.socket {
            Socket::Connecting(stream) => {
                if let Some(error) = stream.take_error()? {
                    return Err(error);
                }
                stream.write_all(b"GET /probe HTTP/1.0\r\n\r\n")?;
                self.socket = Socket::Connected(stream.try_clone()?);
                Ok(None)
            }
            Socket::Connected(stream) => match stream.read_to_end(&mut self.reply) {
                Ok(_) => page(&self.reply).map(Some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            },
            Socket::Datagram(socket) => {
                let mut buffer = [0; 512];
                let count = socket.recv(&mut buffer)?;
                Ok(Some(String::from_utf8_lossy(&buffer[..count]).into_owned()))
            }
        }
    }
}

/// The body of an HTTP answer: the server's name.
fn page(reply: &[u8]) -> io::Result<String> {
    let text = String::from_utf8_lossy(reply);
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.trim_end().to_owned()),
        _ => Err(io::Error::other("incomplete answer")),
    }
}

fn start_connection(target: SocketAddrV4) -> io::Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    match connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &SockaddrIn::from(target)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// A connection that is held open, with a question and an answer now and then.
#[derive(Debug)]
pub struct Conversation {
    stream: BufReader<TcpStream>,
}

impl Conversation {
    /// Connects to `target` from `host`.
    pub fn open(host: &Host, target: SocketAddrV4) -> io::Result<Conversation> {
        let limit = Duration::from_secs(3);
        let stream = host.run(move || TcpStream::connect_timeout(&target.into(), limit))?;
        stream.set_read_timeout(Some(limit))?;
        Ok(Conversation { stream: BufReader::new(stream) })
    }

    /// Asks over the open connection; the server's name is the answer.
    pub fn ask(&mut self) -> io::Result<String> {
        self.stream.get_mut().write_all(b"who\n")?;
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &str) -> Report {
        let sample = |(index, letter)| Sample {
            at: Duration::from_millis(10 * index as u64),
            outcome: match letter {
                '-' => Outcome::Lost("no answer".into()),
                server => Outcome::Answered(server.to_string()),
            },
        };
        Report {
            interval: Duration::from_millis(10),
            samples: outcomes.chars().enumerate().map(sample).collect(),
        }
    }

    #[test]
    fn the_gap_is_the_longest_run_of_lost_probes() {
        for (outcomes, lost, gap) in
            [("", 0, 0), ("abab", 0, 0), ("a-b", 1, 10), ("a--b-a", 3, 20), ("---", 3, 30), ("a-b---", 4, 30)]
        {
            let report = report(outcomes);
            assert_eq!((report.lost(), report.longest_gap().as_millis()), (lost, gap), "{outcomes}");
        }
    }

    #[test]
    fn answers_are_counted_by_server() {
        let report = report("ab-ba-b");
        assert_eq!(report.by_server(), BTreeMap::from([("a".into(), 2), ("b".into(), 3)]));
        assert_eq!(report.last_loss(), Some(Duration::from_millis(50)));
        assert_eq!(
            report.since(Duration::from_millis(30)).by_server(),
            BTreeMap::from([("a".into(), 1), ("b".into(), 2)])
        );
    }
}
