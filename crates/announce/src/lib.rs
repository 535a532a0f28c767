//! Gratuitous ARP frames and the schedule on which they are repeated.
#![forbid(unsafe_code)]
