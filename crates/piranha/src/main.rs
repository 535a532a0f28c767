//! piranha: the operator's command to check and show lvs.cf.

fn main() {}
