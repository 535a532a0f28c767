//! Run from a build tree, the suite's programs find each other beside themselves.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lvs_cf::{Text, Virtual};

/// Replaces the default `client_monitor` of these services by the nanny beside this program, as [`or`] finds it.
pub fn adopt_monitors(services: &mut [Virtual]) {
    let standard = Virtual::new(Text::from("")).client_monitor;
    let nanny = or(&standard.to_string(), &["nanny"]);
    for service in services.iter_mut().filter(|service| service.client_monitor == standard) {
        service.client_monitor = Text::from(nanny.as_encoded_bytes());
    }
}

/// The first of `names` that lies beside this program, when this program does not lie where `standard` does;
/// otherwise `standard`.
pub fn or(standard: &str, names: &[&str]) -> OsString {
    let installed = OsString::from(standard);
    let Ok(program) = std::env::current_exe() else { return installed };
    let Some(here) = program.parent() else { return installed };
    if Path::new(standard).parent() == Some(here) {
        return installed;
    }
    let beside = names.iter().map(|name| here.join(OsStr::new(name)));
    beside.into_iter().find(|path| path.is_file()).map_or(installed, |path| path.into_os_string())
}

/// Whether the program at `path` lies in this program's own directory, links followed: then it belongs to this suite.
pub fn is_beside(path: &OsStr) -> bool {
    let directory = |path: &Path| path.canonicalize().ok()?.parent().map(Path::to_owned);
    let Ok(program) = std::env::current_exe() else { return false };
    directory(Path::new(path)).is_some_and(|other| directory(&program) == Some(other))
}
