//! What the decisions of the election do to this node. There is one kind of effects for each `service`.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use heartbeat::{Input, Output};
use lvs_cf::Config;
use system::child::{Exit, Pid};

use crate::vips::Vips;

/// What the election is to hear, in this order.
pub type Answers = Vec<Input<'static>>;

/// A service's effects, as the runtime drives them.
pub trait Effects {
    /// What a node does before it knows of its partner. `at_once` tells that it is going to serve without asking.
    fn begin(&mut self, now: Duration, at_once: bool);

    /// Carries out what is neither a heartbeat nor a line for the log.
    fn perform(&mut self, now: Duration, output: &Output, answers: &mut Answers);

    /// A child was reaped. False when it was none of these effects'.
    fn child_ended(&mut self, now: Duration, pid: Pid, exit: Exit, answers: &mut Answers) -> bool;

    /// HUP: the configuration was read again, or could not be.
    fn reload(&mut self, now: Duration, config: Option<Config>);

    /// What to wait on.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// When something here is due.
    fn next_deadline(&self) -> Option<Duration>;

    /// Does what is due, at every turn. `readable` tells that one of the descriptors is.
    fn proceed(&mut self, now: Duration, readable: bool, answers: &mut Answers);

    /// The virtual addresses.
    fn vips(&mut self) -> &mut Vips;

    /// Whether there is something to wait for before pulse may end.
    fn is_busy(&self) -> bool;

    /// How long that takes at most.
    fn patience(&self) -> Duration;
}
