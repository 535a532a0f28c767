//! pulse: heartbeats, election, virtual addresses and announcements of one director.

fn main() {}
