//! lvs: keeps the kernel's IPVS table as lvs.cf and the health of the real servers want it.

fn main() {}
