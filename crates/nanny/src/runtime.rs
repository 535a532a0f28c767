//! The loop: does what the state machine says, and tells it what happened.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use health::{
    program_verdict, split_command, Change, Failover, Force, Input, Message, Monitor, Output, ProgramResult,
    Settings, Verdict,
};
use system::child::Pid;
use system::clock;
use system::signals::{SIGTERM, SIGUSR1, SIGUSR2};

use crate::check::Checker;
use crate::cli::{Config, Service};
use crate::report::{Parent, Refused, Reporter};
use crate::wait::{End, Waiter, Woken};
use crate::{debug, log, program};

/// Room for a reply or a program's output.
const BUFFER: usize = 4096;
/// Exit status if the IPVS table cannot be changed.
const REFUSED: u8 = 255;
/// Exit status if the entry could not be removed at the end.
const NOT_REMOVED: u8 = 1;

/// The state machine in charge.
enum Core {
    Lvs(Monitor),
    Fos(Failover),
}

/// Everything that one nanny is made of.
pub struct Runtime {
    config: Config,
    core: Core,
    waiter: Waiter,
    checker: Checker,
    reporter: Reporter,
    buffer: Box<[u8; BUFFER]>,
    /// The program that was killed because nanny must end.
    killed: Option<Pid>,
    ending: bool,
    /// The first check is done.
    judged: bool,
}

impl Runtime {
    /// Logs the start and gets ready for the first check.
    ///
    /// # Errors
    /// Those of the system calls that take over signals.
    pub fn new(config: Config, mut parent: Parent) -> io::Result<Self> {
        announce(&config);
        let reporter = Reporter::new(&config, parent.status.take());
        Ok(Runtime {
            core: core(&config, &parent),
            waiter: Waiter::new(reporter.parent())?,
            checker: Checker::new(config.server, &config.service, seconds(config.interval)),
            reporter,
            buffer: Box::new([0; BUFFER]),
            killed: None,
            ending: false,
            judged: false,
            config,
        })
    }

    /// Watches the service to the end. Returns the exit status.
    pub fn run(&mut self) -> u8 {
        loop {
            let status = match self.turn() {
                Ok(None) => continue,
                Ok(Some(status)) => return status,
                // The original's lvsd had the kernel send this signal then.
                Err(End::ParentGone) => self.end(SIGTERM),
                Err(End::Signal { signal, killed }) => {
                    self.killed = killed;
                    self.end(signal)
                }
            };
            // Nothing that happens at the end can wait, so no second end can come here.
            return status.ok().flatten().unwrap_or(0);
        }
    }

    fn end(&mut self, signal: i32) -> Result<Option<u8>, End> {
        self.ending = true;
        self.act(Input::Stop(signal))
    }

    /// Deals with what came during a check, or waits for one thing and deals with that. Returns an exit status if
    /// this was the end.
    fn turn(&mut self) -> Result<Option<u8>, End> {
        let commands = self.waiter.take_commands();
        if !commands.is_empty() {
            return self.obey(commands);
        }
        match self.waiter.wait(None, self.next_deadline())? {
            // A command, if it was one, is for the next turn.
            Woken::Signal => Ok(None),
            Woken::Ready | Woken::Timeout => self.act(Input::Timer),
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        match &self.core {
            Core::Lvs(monitor) => monitor.next_deadline(),
            Core::Fos(failover) => failover.next_deadline(),
        }
    }

    /// Passes the administrator's signals on.
    fn obey(&mut self, commands: Vec<i32>) -> Result<Option<u8>, End> {
        for signal in commands {
            let status = self.act(match signal {
                SIGUSR1 => Input::Force(Force::Down),
                SIGUSR2 => Input::Force(Force::Up),
                _ => Input::Release,
            })?;
            if status.is_some() {
                return Ok(status);
            }
        }
        Ok(None)
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        let now = clock::now();
        match &mut self.core {
            Core::Lvs(monitor) => monitor.handle(now, input),
            Core::Fos(failover) => failover.handle(now, input),
        }
    }

    /// Does what follows from `input`, and what follows from that. Returns an exit status if this is the end.
    fn act(&mut self, input: Input) -> Result<Option<u8>, End> {
        let mut outputs = VecDeque::from(self.handle(input));
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::StartCheck => {
                    let verdict = self.check()?;
                    self.tell_first(verdict)?;
                    outputs.extend(self.handle(Input::Checked(verdict)));
                }
                Output::ReadLoad => {
                    let result = self.read_load()?;
                    outputs.extend(self.handle(Input::Load(result)));
                }
                Output::Log(message) => self.log(&message),
                Output::Change(change) => match self.change(change) {
                    Ok(()) => {}
                    Err(Refused::ParentGone) => return Err(End::ParentGone),
                    Err(Refused::Failed(reason)) => return Ok(Some(self.refused(&reason))),
                },
                Output::Exit(status) => return Ok(Some(status)),
            }
        }
        Ok(None)
    }

    /// Reports a change. What is to be undone at the end is undone, also when lvs is gone.
    fn change(&mut self, change: Change) -> Result<(), Refused> {
        match self.reporter.report(&self.config, change) {
            Err(Refused::ParentGone) if self.ending => {
                self.reporter.take_over(&self.config);
                self.reporter.report(&self.config, change)
            }
            result => result,
        }
    }

    /// lvs waits for a verdict on every server, also for one that never was up: no change follows from that.
    fn tell_first(&mut self, verdict: Verdict) -> Result<(), End> {
        if verdict == Verdict::Unknown || std::mem::replace(&mut self.judged, true) || verdict == Verdict::Up
        {
            return Ok(());
        }
        self.reporter.never_up(self.config.quiesce).map_err(|_| End::ParentGone)
    }

    fn log(&mut self, message: &Message) {
        log(message);
        if let (Message::Terminating(_), Some(pid)) = (message, self.killed.take()) {
            log(&Message::KillingChild(pid.as_raw()));
        }
    }

    /// A table that cannot be changed is beyond nanny: lvs is told by the exit status.
    fn refused(&self, reason: &str) -> u8 {
        log(&Message::CommandFailed(self.config.ipvsadm.to_string_lossy().into_owned()));
        log::debug!("{reason}");
        if self.ending {
            NOT_REMOVED
        } else {
            REFUSED
        }
    }

    fn check(&mut self) -> Result<Verdict, End> {
        let Some(command) = &self.config.service.program else {
            return self.checker.check(&mut self.waiter, &mut self.buffer[..]);
        };
        let server = self.config.server;
        let words = split_command(command, &server.address.to_string(), server.port);
        if words.is_empty() {
            log(&Message::NoCommand);
            return Ok(Verdict::Down);
        }
        debug(|| Message::Arguments(words.len()));
        debug(|| Message::Invoking(String::from_utf8_lossy(&words[0]).into_owned()));
        let result = self.run_program(words)?;
        if let ProgramResult::Output(output) = &result {
            let output = output.strip_suffix(b"\n").unwrap_or(output);
            debug(|| Message::GotResult(String::from_utf8_lossy(output).into_owned(), server));
        }
        let (verdict, messages) = program_verdict(&result, self.config.service.expect.as_deref(), server);
        messages.iter().for_each(log);
        Ok(verdict)
    }

    fn read_load(&mut self) -> Result<ProgramResult, End> {
        let command = self.config.load_command.as_deref().unwrap_or_default();
        let words = load_words(command, &self.config.server.address.to_string());
        self.run_program(words)
    }

    fn run_program(&mut self, words: Vec<Vec<u8>>) -> Result<ProgramResult, End> {
        let timeout = seconds(self.config.interval);
        program::run(words, timeout, &mut self.waiter, &mut self.buffer[..])
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn core(config: &Config, parent: &Parent) -> Core {
    if config.failover {
        return Core::Fos(Failover::new(config.server, config.interval, config.reentry));
    }
    Core::Lvs(Monitor::new(Settings {
        server: config.server,
        interval: config.interval,
        reentry: config.reentry,
        weight: config.weight,
        scale: config.scale,
        quiesce: config.quiesce,
        load_monitor: config.load_command.is_some(),
        in_service: parent.in_service,
    }))
}

/// The load command and its arguments: the address, and `uptime` for a remote shell.
fn load_words(command: &[u8], address: &str) -> Vec<Vec<u8>> {
    let mut words = split_command(command, address, 0);
    let Some(program) = words.first() else { return words };
    let name = program.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let is_shell = matches!(name, b"rsh" | b"ssh");
    words.push(address.as_bytes().to_vec());
    if is_shell {
        words.push(b"uptime".to_vec());
    }
    words
}

/// Logs what is about to be watched, and how.
fn announce(config: &Config) {
    let Service { program, send, expect, send_ignored, assumed, .. } = &config.service;
    let text =
        |text: &Option<Vec<u8>>| text.as_deref().map(|text| String::from_utf8_lossy(text).into_owned());
    if *send_ignored {
        log(&Message::IgnoringSend(text(program).unwrap_or_default()));
    }
    if *assumed {
        log(&Message::AssumingWeb);
    }
    let server = format!("{}:{}", config.server_text, config.server.port);
    log(&match config.failover {
        true => Message::FailoverStarted(server),
        false => {
            Message::Started { service: format!("{}:{}", config.virtual_text, config.virtual_port), server }
        }
    });
    for (name, value) in [("Send_program", program), ("Send_string", send), ("Expect_string", expect)] {
        debug(|| Message::Text(name, text(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_commands() {
        let cases = [
            ("rup", "rup 10.0.0.2"),
            ("rsh", "rsh 10.0.0.2 uptime"),
            ("/usr/bin/ssh", "/usr/bin/ssh 10.0.0.2 uptime"),
            ("ssh -l root", "ssh -l root 10.0.0.2 uptime"),
            ("sshd", "sshd 10.0.0.2"),
            ("", ""),
        ];
        for (command, expected) in cases {
            let words = load_words(command.as_bytes(), "10.0.0.2");
            let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            assert_eq!(words.join(" "), expected);
        }
    }
}
