//! Run from a build tree, the suite's programs find each other beside themselves.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use lvs_cf::{Text, Virtual};

/// What our lvs is called: installed, and in a build tree.
pub const LVS: [&str; 2] = ["lvsd", "lvs"];
const NANNY: &str = "nanny";

/// Replaces the default `client_monitor` of these services by the nanny beside this program, as [`or`] finds it.
pub fn adopt_monitors(services: &mut [Virtual]) {
    let standard = Virtual::new(Text::from("")).client_monitor;
    let nanny = or(&standard.to_string(), &[NANNY]);
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

/// Whether the program at `path` is, links followed, the lvs beside this program: then it belongs to this suite. A
/// site's own program may lie in the same directory, and the name may lead to one.
pub fn is_our_lvs(path: &OsStr) -> bool {
    is_ours(path, &LVS)
}

/// Whether the program at `path` is this suite's nanny; see [`is_our_lvs`].
pub fn is_our_nanny(path: &OsStr) -> bool {
    is_ours(path, &[NANNY])
}

fn is_ours(path: &OsStr, names: &[&str]) -> bool {
    std::env::current_exe().is_ok_and(|program| is_beside(&program, Path::new(path), names))
}

fn is_beside(program: &Path, path: &Path, names: &[&str]) -> bool {
    // Of the program only the directory: an upgrade may have replaced the file meanwhile.
    let Some(here) = program.parent().and_then(|here| here.canonicalize().ok()) else { return false };
    path.canonicalize().is_ok_and(|path| names.iter().any(|name| path == here.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_program_of_the_site_is_not_ours_wherever_it_lies() {
        let site = std::env::temp_dir().join(format!("sibling-{}", std::process::id()));
        let [sbin, opt] = ["sbin", "opt"].map(|name| site.join(name));
        fs::create_dir_all(&sbin).unwrap();
        fs::create_dir_all(&opt).unwrap();
        for name in ["sbin/lvsd", "sbin/nanny", "sbin/nanny.site", "opt/nanny", "opt/lvsd"] {
            fs::write(site.join(name), "").unwrap();
        }
        for (target, link) in [("sbin/nanny", "opt/checker"), ("opt/nanny", "sbin/lvs"), ("sbin", "bin")] {
            symlink(site.join(target), site.join(link)).unwrap();
        }
        let cases = [
            ("sbin/lvsd", "sbin/nanny", true),
            ("sbin/lvsd", "bin/nanny", true),
            ("sbin/lvsd", "opt/checker", true),
            // An upgrade has replaced this program.
            ("sbin/lvsd (deleted)", "sbin/nanny", true),
            ("sbin/lvsd", "sbin/nanny.site", false),
            ("sbin/lvsd", "opt/nanny", false),
            ("sbin/lvsd", "sbin/missing", false),
            // A name of ours that leads elsewhere.
            ("sbin/lvsd", "sbin/lvs", false),
            ("opt/lvsd", "opt/checker", false),
        ];
        let found = cases.map(|(program, path, _)| {
            (program, path, is_beside(&site.join(program), &site.join(path), &["nanny", "lvs"]))
        });
        fs::remove_dir_all(&site).unwrap();
        assert_eq!(found, cases);
    }
}
