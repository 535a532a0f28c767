//! nanny's verdict: rise and fall, re-entry, weight ramp, load formula, quiesce and reply matching.
#![forbid(unsafe_code)]
