//! Everything that touches the operating system, and the only home of unsafe code.
