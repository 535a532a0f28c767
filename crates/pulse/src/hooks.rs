//! `active_cmd` and `inactive_cmd`: a site's own programs, started at a change of role and not waited for.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use lvs_cf::Text;
use system::child::Spawn;
use system::errno;

/// Starts a hook: words at blanks, the first one a path, no shell. A hook that cannot be started is logged.
pub fn run(command: Option<&Text>) {
    let mut words = split(command.map_or(&[], Text::as_bytes)).into_iter();
    let Some(program) = words.next().map(PathBuf::from) else { return };
    log::debug!("DEBUG -- Executing '{}'", program.display());
    let mut hook = Spawn::new(&program);
    hook.arguments = words.collect();
    if let Err(error) = hook.spawn() {
        log::info!("Couldn't execute \"{}\": {}", program.display(), errno::text(&error));
    }
}

fn split(command: &[u8]) -> Vec<OsString> {
    let words = command.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_blanks_and_nothing_else() {
        let table: [(&str, &[&str]); 5] = [
            ("", &[]),
            ("  ", &[]),
            ("/bin/true", &["/bin/true"]),
            ("/opt/a.sh  up 'x y'", &["/opt/a.sh", "up", "'x", "y'"]),
            ("/a\tb $HOME;", &["/a\tb", "$HOME;"]),
        ];
        for (command, words) in table {
            assert_eq!(split(command.as_bytes()), words, "{command:?}");
        }
    }
}
