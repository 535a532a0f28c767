//! The heartbeat protocol and pulse's election as a pure state machine.
#![forbid(unsafe_code)]
