//! What systemd hears of pulse when it has started it: readiness, role, signs of life (sd_notify(3)).
//! Under anything else all of this is silent.

use std::collections::VecDeque;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What systemd has no room for is said again after this.
const RETRY: Duration = Duration::from_secs(1);
/// So many words are kept for that; of more, the latest.
const UNSAID_LIMIT: usize = 8;

/// The way to systemd, if there is one.
#[derive(Debug, Default)]
pub struct Systemd {
    channel: Option<(UnixDatagram, SocketAddr)>,
    /// Time between signs of life: half of what systemd waits for.
    interval: Option<Duration>,
    next_sign: Duration,
    /// What systemd had no room for, in its order.
    unsaid: VecDeque<String>,
    retry_at: Option<Duration>,
    role: &'static str,
}

impl Systemd {
    /// Takes systemd's variables out of the environment, so that hooks and check programs, which may be daemons
    /// that know this protocol too, cannot speak in pulse's name. Call it before any thread is started.
    pub fn from_environment() -> Self {
        let take = |name| {
            let value = env::var_os(name);
            env::remove_var(name);
            value
        };
        // WATCHDOG_PID names the process that detaches: not the one that goes on.
        let (socket, watchdog, _) = (take("NOTIFY_SOCKET"), take("WATCHDOG_USEC"), take("WATCHDOG_PID"));
        Self::new(socket, watchdog)
    }

    fn new(socket: Option<OsString>, watchdog: Option<OsString>) -> Self {
        let channel = socket.and_then(|name| Some((non_blocking().ok()?, address(&name)?)));
        let interval =
            watchdog.and_then(|text| text.to_str()?.parse().ok()).map(|usec| Duration::from_micros(usec) / 2);
        Self {
            interval: interval.filter(|interval| channel.is_some() && !interval.is_zero()),
            channel,
            ..Self::default()
        }
    }

    /// The start succeeded; this process, and not the one that detached, is the service.
    pub fn ready(&mut self, now: Duration) {
        self.say(&format!("READY=1\nMAINPID={}", std::process::id()));
        self.set_role("standby");
        self.next_sign = now;
    }

    /// This node now serves, or no longer.
    pub fn set_active(&mut self, active: bool) {
        self.set_role(if active { "active" } else { "standby" });
    }

    /// lvs.cf is being read again.
    pub fn reloading(&mut self, now: Duration) {
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()));
    }

    /// lvs.cf has been read.
    pub fn reloaded(&mut self) {
        self.say("READY=1");
    }

    /// The end has begun, and takes so long at most, whatever `TimeoutStopSec` says.
    pub fn stopping(&mut self, patience: Duration) {
        self.say(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", patience.as_micros()));
    }

    /// When the next sign of life is due, or another try to say what there was no room for.
    pub fn next_deadline(&self) -> Option<Duration> {
        [self.interval.map(|_| self.next_sign), self.retry_at].into_iter().flatten().min()
    }

    /// Gives a sign of life if one is due, and tries again what is. To be called at each turn.
    pub fn proceed(&mut self, now: Duration) {
        if self.retry_at.is_some_and(|due| now >= due) {
            self.retry_at = None;
            self.say_unsaid();
        }
        if let Some(interval) = self.interval.filter(|_| now >= self.next_sign) {
            self.say("WATCHDOG=1");
            self.next_sign = now + interval;
        }
        if !self.unsaid.is_empty() {
            self.retry_at.get_or_insert(now + RETRY);
        }
    }

    fn set_role(&mut self, role: &'static str) {
        if self.role != role {
            self.role = role;
            self.say(&format!("STATUS={role}"));
        }
    }

    fn say(&mut self, text: &str) {
        self.unsaid.push_back(text.to_owned());
        self.say_unsaid();
    }

    /// A systemd that does not listen is no reason to fail over, and one that hangs none to wait.
    fn say_unsaid(&mut self) {
        let has_no_room = |text: &str| {
            let Some((socket, address)) = &self.channel else { return false };
            let said = socket.send_to_addr(text.as_bytes(), address);
            said.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        while self.unsaid.front().is_some_and(|text| !has_no_room(text)) {
            self.unsaid.pop_front();
        }
        let too_many = self.unsaid.len().saturating_sub(UNSAID_LIMIT);
        self.unsaid.drain(..too_many);
    }
}

fn non_blocking() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A path, or `@name` in the abstract namespace.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok(),
        None => SocketAddr::from_pathname(name).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener in the abstract namespace, and pulse's end.
    fn pair(test: &str, watchdog: Option<&str>) -> (UnixDatagram, Systemd) {
        let name = format!("piranha-{test}-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        listener.set_nonblocking(true).unwrap();
        (listener, Systemd::new(Some(format!("@{name}").into()), watchdog.map(OsString::from)))
    }

    fn heard(listener: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 200];
        std::iter::from_fn(|| {
            listener.recv(&mut buffer).ok().map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned())
        })
        .collect()
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn readiness_names_this_process_and_roles_are_told_once() {
        let (listener, mut systemd) = pair("ready", None);
        systemd.ready(at(5));
        assert_eq!(
            heard(&listener),
            [format!("READY=1\nMAINPID={}", std::process::id()), "STATUS=standby".into()]
        );
        systemd.set_active(false);
        systemd.set_active(true);
        systemd.set_active(true);
        systemd.set_active(false);
        assert_eq!(heard(&listener), ["STATUS=active", "STATUS=standby"]);
        systemd.reloading(at(7));
        systemd.reloaded();
        systemd.stopping(at(90));
        assert_eq!(
            heard(&listener),
            ["RELOADING=1\nMONOTONIC_USEC=7000000", "READY=1", "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000"]
        );
        assert_eq!(systemd.next_deadline(), None);
    }

    #[test]
    fn signs_of_life_come_twice_as_often_as_systemd_wants_them() {
        let (listener, mut systemd) = pair("watchdog", Some("30000000"));
        systemd.ready(at(100));
        heard(&listener);
        for (now, due, signs) in [(100, 115, 1), (101, 115, 0), (114, 115, 0), (115, 130, 1), (200, 215, 1)] {
            systemd.proceed(at(now));
            assert_eq!((systemd.next_deadline(), heard(&listener).len()), (Some(at(due)), signs), "at {now}");
        }
    }

    /// The kernel keeps some words for a systemd that does not read, and then no more.
    #[test]
    fn a_systemd_that_hangs_is_not_waited_for_and_hears_the_last_words_later() {
        let (listener, mut systemd) = pair("hangs", Some("30000000"));
        systemd.ready(at(100));
        for change in 0..1000 {
            systemd.set_active(change % 2 == 0);
        }
        systemd.stopping(at(90));
        systemd.proceed(at(200));
        assert_eq!(systemd.next_deadline(), Some(at(201)));
        heard(&listener);
        systemd.proceed(at(201));
        let late = heard(&listener);
        assert_eq!(
            late[late.len() - 3..],
            ["STATUS=standby", "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000", "WATCHDOG=1"]
        );
        assert_eq!(systemd.next_deadline(), Some(at(215)));
    }

    #[test]
    fn nothing_is_due_without_systemd() {
        for (socket, watchdog) in
            [(None, Some("1000")), (Some("@x"), None), (Some("@x"), Some("0")), (Some("@x"), Some("no"))]
        {
            let mut systemd = Systemd::new(socket.map(OsString::from), watchdog.map(OsString::from));
            systemd.ready(at(1));
            assert_eq!(systemd.next_deadline(), None);
        }
    }
}
