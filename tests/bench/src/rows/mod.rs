//! The rows of the table. Each starts from nothing.

mod activation;
mod checks;
mod failover;
mod heartbeat;
pub mod parsing;
mod reload;
pub mod table;

use crate::figure::Figure;

/// Where a row is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a guest of its own, whose kernel has IPVS.
    Guest,
    /// On this machine's kernel.
    Here,
}

/// A row: its number, what it is about, and how to measure it.
pub struct Row {
    /// The number by which it is asked for.
    pub number: u8,
    /// What it is about.
    pub title: &'static str,
    /// Where it is measured.
    pub place: Place,
    /// Measures; so many runs of what is worth repeating.
    pub measure: fn(runs: usize) -> Vec<Figure>,
}

const fn row(number: u8, title: &'static str, place: Place, measure: fn(usize) -> Vec<Figure>) -> Row {
    Row { number, title, place, measure }
}

/// All rows in order.
pub const ROWS: &[Row] = &[
    row(1, "sudden death of the active director", Place::Guest, failover::crash),
    row(2, "planned handover", Place::Guest, failover::handover),
    row(3, "kill -9 of the control process", Place::Guest, failover::kill),
    row(4, "taking over many addresses", Place::Guest, activation::measure),
    row(5, "filling an empty table", Place::Guest, table::measure),
    row(6, "reload", Place::Guest, reload::measure),
    row(7, "cost of checks", Place::Guest, checks::cost),
    row(8, "death and return of real servers", Place::Guest, checks::reaction),
    row(9, "reading lvs.cf", Place::Here, parsing::measure),
    row(10, "a director with nothing to do", Place::Here, heartbeat::measure),
];
