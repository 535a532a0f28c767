//! nanny: checks one real server and reports its health.

fn main() {}
