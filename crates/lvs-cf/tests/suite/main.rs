//! The tests that need whole files: one binary, because they share the cases and the generators.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod cases;
mod conformance;
mod edit;
mod generate;
mod large;
mod lints;
mod manual;
mod properties;
mod writer;
