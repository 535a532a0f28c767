//! How long the `start_cmd` or `stop_cmd` of a failover service may take.
//!
//! The configuration file has no key for it, and both nodes share that file with originals that refuse unknown keys.

use std::ffi::OsStr;
use std::time::Duration;

/// The environment variable that holds the limit in whole seconds, 1 to 86400. fos reads it to end a command, and
/// pulse to know how long fos may take.
pub const VARIABLE: &str = "PIRANHA_COMMAND_TIMEOUT";

/// Without the variable, or with one that makes no sense.
pub const DEFAULT: Duration = Duration::from_secs(60);

/// Between TERM and KILL to a command that is ended.
pub const GRACE: Duration = Duration::from_secs(5);

/// The limit of this process's environment.
pub fn get() -> Duration {
    of(std::env::var_os(VARIABLE).as_deref())
}

fn of(value: Option<&OsStr>) -> Duration {
    let seconds = value.and_then(OsStr::to_str).and_then(|text| text.trim().parse().ok());
    seconds.filter(|seconds| (1..=86_400).contains(seconds)).map_or(DEFAULT, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_or_the_default() {
        let table = [
            (None, 60),
            (Some("1"), 1),
            (Some(" 90\n"), 90),
            (Some("0"), 60),
            (Some("1.5"), 60),
            (Some("99999"), 60),
        ];
        for (value, seconds) in table {
            assert_eq!(of(value.map(OsStr::new)).as_secs(), seconds, "{value:?}");
        }
    }
}
