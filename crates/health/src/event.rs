//! What goes into the state machines and what comes out.

use crate::{Message, ProgramResult};

/// Result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service answered as it should.
    Up,
    /// It did not.
    Down,
    /// Nothing is known of the service: this host had no process, descriptor or memory left for a check.
    Unknown,
}

/// A verdict that the administrator imposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Available, whatever the checks would say (USR2).
    Up,
    /// Not available (USR1).
    Down,
}

/// What happens to a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The deadline is reached.
    Timer,
    /// A check, asked for by [`Output::StartCheck`], ended.
    Checked(Verdict),
    /// The load command, asked for by [`Output::ReadLoad`], ended.
    Load(ProgramResult),
    /// The administrator imposes a verdict; checks stop.
    Force(Force),
    /// The administrator wants checks again, the next one at once (HUP).
    Release,
    /// The monitor must end because of this signal.
    Stop(i32),
}

/// A change of the real server's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Enter it with this weight.
    Add(u32),
    /// It is still entered, with weight 0: give it this weight.
    Readmit(u32),
    /// Change the weight of the available server.
    Weight(u32),
    /// Keep it entered with weight 0: no new connections.
    Quiesce,
    /// Take it out.
    Remove,
}

/// What a monitor wants done, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Check the service; report with [`Input::Checked`].
    StartCheck,
    /// Run the load command; report with [`Input::Load`].
    ReadLoad,
    /// Change the entry.
    Change(Change),
    /// Log a message.
    Log(Message),
    /// End with this exit status.
    Exit(u8),
}
