//! A partner (or somebody in its place) that says anything at any time.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use heartbeat::{wire, ActivateReason, ChildEnd, Election, Input, Mode, Output, Path, Role, Settings};

/// Outputs of one input: a few decisions and their lines.
const MOST_OUTPUTS: usize = 32;

/// Reads the bytes as a story: the settings, then one event after the other. An event is a byte that says what
/// happens and, for a datagram, a length and the payload.
pub fn election(bytes: &[u8]) {
    let [first, story @ ..] = bytes else { return };
    let settings = settings(*first);
    let mut node = Node::new(settings);
    let mut rest = story;
    while let [what, tail @ ..] = rest {
        rest = tail;
        node.pass(Duration::from_millis(u64::from(what >> 4) * 100));
        match what & 7 {
            0..=3 => rest = node.hear(*what, rest),
            4 => node.tell(Input::Stranger(IpAddr::V4(Ipv4Addr::LOCALHOST))),
            5 => node.tell(Input::LinksDown { public: what & 8 != 0, private: true }),
            6 => node.tell(Input::LinksUp),
            _ => node.tell(Input::ChildEnded { pid: 1, end: ChildEnd::Exited(i32::from(what >> 4)) }),
        }
    }
    node.tell(Input::Terminate { signal: 15 });
    node.pass(Duration::from_secs(20));
    assert!(node.left && !node.active, "a node that was told to end hands over and leaves");
}

fn settings(byte: u8) -> Settings {
    Settings {
        role: if byte & 1 == 0 { Role::Master } else { Role::Backup },
        mode: if byte & 2 == 0 { Mode::Lvs } else { Mode::Fos },
        keepalive: Duration::from_secs(1),
        deadtime: Duration::from_secs(3),
        backup_active: byte & 4 == 0,
        private_path: byte & 8 == 0,
        prepare: byte & 16 == 0,
        force_active: byte & 32 != 0,
    }
}

struct Node {
    election: Election,
    now: Duration,
    active: bool,
    left: bool,
}

impl Node {
    fn new(settings: Settings) -> Node {
        let mut out = Vec::new();
        let election = Election::new(settings, Duration::ZERO, &mut out);
        let mut node = Node { election, now: Duration::ZERO, active: false, left: false };
        node.carry_out(out);
        node
    }

    /// Time goes on; deadlines are kept.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..1000 {
            match self.election.next_deadline() {
                Some(due) if due <= until => {
                    self.now = self.now.max(due);
                    self.tell(Input::Deadline);
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("a thousand deadlines within {time:?}");
    }

    fn hear<'a>(&mut self, what: u8, rest: &'a [u8]) -> &'a [u8] {
        let [length, tail @ ..] = rest else { return &[] };
        let (payload, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        if let Ok((word, order)) = wire::decode(payload) {
            assert_eq!(wire::encode(word, order), payload[..4], "a word is read as it is written");
        }
        let path = if what & 8 == 0 { Path::Public } else { Path::Private };
        self.tell(Input::Datagram { path, payload });
        tail
    }

    fn tell(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.election.handle(self.now, input, &mut out);
        self.carry_out(out);
    }

    /// The runtime's part: every question has its answer.
    fn carry_out(&mut self, outputs: Vec<Output>) {
        assert!(outputs.len() <= MOST_OUTPUTS, "{outputs:?}");
        for output in outputs {
            match output {
                Output::Activate(reason) => {
                    assert!(!self.active || reason == ActivateReason::Forced, "active already: {reason:?}");
                    self.active = true;
                    self.tell(Input::Activated);
                }
                Output::Deactivate(_) => {
                    self.active = false;
                    self.tell(Input::Deactivated);
                }
                Output::Exit(_) => self.left = true,
                Output::Prepare => self.tell(Input::Prepared),
                Output::CheckGateway => self.tell(Input::GatewayAnswered(self.now.as_millis() % 3 != 0)),
                Output::Log(message) => drop(message.to_string()),
                Output::Send { datagram, .. } => assert!(datagram.as_bytes().len() >= 4),
                _ => {}
            }
        }
    }
}
