//! send_arp: announces one address on one link by gratuitous ARP.

fn main() {}
