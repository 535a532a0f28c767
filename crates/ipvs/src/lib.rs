//! The kernel's IPVS table as a model: services, destinations and the plan from one table to another.
#![forbid(unsafe_code)]
