//! nanny's other trade: telling fos whether the partner's service is alive.

use std::time::Duration;

use crate::{Endpoint, Input, Message, Output, Verdict};

/// Watches one service until it fails; touches no IPVS entry.
///
/// Exit status 0: the service was up and failed. Status 1: it failed twice in a row at the start, or was never
/// up. As in the original, a failure of the very first check is remembered: the next one then counts as "never
/// up" even if checks in between succeeded.
#[derive(Debug, Clone)]
pub struct Failover {
    server: Endpoint,
    interval: Duration,
    threshold: u64,
    count: u64,
    active: bool,
    failed_before: bool,
    deadline: Option<Duration>,
}

impl Failover {
    /// A watch on `server`, every `interval` seconds (0 counts as 1), that believes in the service after it
    /// answered for `reentry` seconds.
    pub fn new(server: Endpoint, interval: u32, reentry: u32) -> Self {
        let interval = interval.max(1);
        let threshold = (reentry / interval).into();
        Failover {
            server,
            interval: Duration::from_secs(interval.into()),
            threshold,
            count: threshold,
            active: false,
            failed_before: false,
            deadline: Some(Duration::ZERO),
        }
    }

    /// When [`Input::Timer`] is due. Nothing while a check runs.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Takes in what happened; returns what is to be done, in order. There is no verdict to impose: of the
    /// administrator's inputs only [`Input::Release`] counts, as "check now".
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Output> {
        match (input, self.deadline) {
            (Input::Timer, Some(deadline)) if now >= deadline => self.check(),
            (Input::Release, Some(_)) => self.check(),
            (Input::Checked(verdict), None) => {
                self.deadline = Some(now + self.interval);
                match verdict {
                    Verdict::Up => self.success(),
                    Verdict::Down => self.failure(),
                    Verdict::Unknown => Vec::new(),
                }
            }
            (Input::Stop(signal), _) => vec![Output::Log(Message::Terminating(signal)), Output::Exit(0)],
            (Input::Timer | Input::Checked(_) | Input::Release, _) => Vec::new(),
            (Input::Load(_) | Input::Force(_), _) => Vec::new(),
        }
    }

    fn check(&mut self) -> Vec<Output> {
        self.deadline = None;
        vec![Output::StartCheck]
    }

    fn success(&mut self) -> Vec<Output> {
        self.count += 1;
        if self.active || self.count < self.threshold {
            return Vec::new();
        }
        self.active = true;
        vec![Output::Log(Message::RemoteAvailable(self.server))]
    }

    fn failure(&mut self) -> Vec<Output> {
        self.count = 0;
        if self.failed_before {
            vec![Output::Log(Message::RemoteTimeout), Output::Exit(1)]
        } else if self.active {
            vec![Output::Log(Message::RemoteLost(self.server)), Output::Exit(0)]
        } else {
            self.failed_before = true;
            vec![Output::Log(Message::NoService { always: true })]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Down, Unknown, Up};

    /// The messages and the exit status that a series of checks leads to.
    fn run(verdicts: &[Verdict]) -> (Vec<String>, Option<u8>) {
        let server = Endpoint { address: [10, 0, 0, 1].into(), port: 80 };
        let mut watch = Failover::new(server, 10, 10);
        let (mut log, mut exit) = (Vec::new(), None);
        for &verdict in verdicts {
            let now = watch.next_deadline().unwrap();
            assert_eq!(watch.handle(now, Input::Timer), [Output::StartCheck]);
            for output in watch.handle(now, Input::Checked(verdict)) {
                match output {
                    Output::Log(message) => log.push(message.to_string()),
                    Output::Exit(status) => exit = Some(status),
                    other => panic!("{other:?}"),
                }
            }
        }
        (log, exit)
    }

    #[test]
    fn outcomes() {
        let available = "Remote service 10.0.0.1:80 is available";
        let lost = "Exiting due to connection failure of 10.0.0.1:80";
        let none = "No service active & available...";
        let timeout = "Timeout waiting for remote service -- triggering failover!";
        let cases: &[(&[Verdict], &[&str], Option<u8>)] = &[
            (&[Up, Up, Down], &[available, lost], Some(0)),
            (&[Down, Down], &[none, timeout], Some(1)),
            (&[Down, Up, Up], &[none, available], None),
            (&[Unknown, Up, Unknown, Up], &[available], None),
            (&[Up, Unknown, Down], &[available, lost], Some(0)),
            (&[Unknown, Down, Unknown, Up], &[none, available], None),
            (&[Down, Up, Down], &[none, available, timeout], Some(1)),
        ];
        for (verdicts, log, exit) in cases {
            let (got, status) = run(verdicts);
            assert_eq!(
                (got.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), status),
                (*log, *exit)
            );
        }
    }
}
