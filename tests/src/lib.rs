//! The testbed of the end-to-end scenarios.
