//! A model of the original pulse, written from its observed table of states and events, not from ours: it shares no
//! code with [`heartbeat::Election`].

use heartbeat::wire::Word;
use std::collections::VecDeque;
use std::time::Duration;

const RUNNING: [u8; 4] = [0xda, 0xdb, 0xad, 0xbd];
const STOPPED: [u8; 4] = [0xbd, 0xda, 0xbd, 0xad];

/// What the original does.
pub enum Deed {
    Send(Word),
    Activate,
    Deactivate,
    /// Five rounds of ARP by a helper that nothing stops.
    StartArpHelper,
}

pub struct Original {
    pub master: bool,
    pub active: bool,
    pub link_failed: bool,
    pub child_failed: bool,
    keepalive: Duration,
    deadtime: Duration,
    send_at: Duration,
    need_at: Duration,
}

impl Original {
    pub fn start(master: bool, keepalive: Duration, deadtime: Duration, now: Duration) -> Self {
        let (send_at, need_at) = (now + keepalive, now + deadtime);
        let (active, link_failed, child_failed) = (false, false, false);
        Self { master, active, link_failed, child_failed, keepalive, deadtime, send_at, need_at }
    }

    pub fn next_deadline(&self) -> Duration {
        self.send_at.min(self.need_at)
    }

    /// One turn of its loop: an expired deadline is served before anything is read, and a tie goes to sending.
    /// False when there was nothing to do.
    pub fn turn(&mut self, now: Duration, socket: &mut VecDeque<[u8; 4]>, deeds: &mut Vec<Deed>) -> bool {
        if self.next_deadline() <= now {
            if self.send_at <= self.need_at {
                deeds.push(Deed::Send(if self.active { Word::Running } else { Word::Stopped }));
                self.send_at = now + self.keepalive;
            } else {
                self.need_at = now + self.deadtime;
                self.take_over(deeds);
            }
            return true;
        }
        let Some(word) = socket.pop_front() else { return false };
        self.heard(now, word, deeds);
        true
    }

    fn heard(&mut self, now: Duration, word: [u8; 4], deeds: &mut Vec<Deed>) {
        match word {
            RUNNING => {
                self.child_failed = false;
                if self.active && self.master {
                    deeds.push(Deed::StartArpHelper);
                } else if self.active {
                    deeds.push(Deed::Send(Word::Running));
                    self.stop_serving(deeds);
                }
            }
            STOPPED => self.take_over(deeds),
            _ => return,
        }
        self.need_at = now + self.deadtime;
    }

    fn take_over(&mut self, deeds: &mut Vec<Deed>) {
        if !self.active && !self.link_failed && !self.child_failed {
            self.active = true;
            deeds.push(Deed::Activate);
            deeds.push(Deed::StartArpHelper);
        }
    }

    fn stop_serving(&mut self, deeds: &mut Vec<Deed>) {
        if std::mem::take(&mut self.active) {
            deeds.push(Deed::Deactivate);
        }
    }

    pub fn links(&mut self, down: bool, deeds: &mut Vec<Deed>) {
        self.link_failed = down;
        if down {
            self.stop_serving(deeds);
        }
    }

    pub fn child_ended(&mut self, deeds: &mut Vec<Deed>) {
        if self.active {
            self.stop_serving(deeds);
            self.child_failed = true;
        }
    }

    /// It leaves without a word.
    pub fn terminate(&mut self, deeds: &mut Vec<Deed>) {
        self.stop_serving(deeds);
    }
}
