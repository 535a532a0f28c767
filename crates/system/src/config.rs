//! Reading lvs.cf from a file.

use crate::errno;
use crate::options::Stop;
use crate::resolver::SystemResolver;
use lvs_cf::{Colour, Config, Diagnostic, Error, ErrorKind};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where the originals keep their configuration.
pub const DEFAULT_PATH: &str = "/etc/sysconfig/ha/lvs.cf";

/// The longest file that is read, in bytes. It keeps a device or a pipe that never ends from filling the
/// memory; the original overflows its stack at a few megabytes.
pub const SIZE_LIMIT: u64 = 256 << 20;

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be opened, or is longer than [`SIZE_LIMIT`].
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// The file is refused. A file that cannot be read to its end is refused with
    /// [`ErrorKind::ReadError`] in line 0.
    Parse {
        /// The file.
        path: PathBuf,
        /// The first reason.
        error: Error,
        /// What was read, for [`lvs_cf::Diagnostic::render`].
        source: Vec<u8>,
    },
}

impl LoadError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            LoadError::Open { path, .. } | LoadError::Parse { path, .. } => path,
        }
    }

    /// The system's reason, if the same file may be read later: there was no descriptor or memory left.
    pub fn shortage(&self) -> Option<String> {
        match self {
            LoadError::Open { error, .. } => errno::is_shortage(error).then(|| errno::text(error)),
            LoadError::Parse { .. } => None,
        }
    }

    /// The line of the first error; 0 when it is about the whole file.
    pub fn line(&self) -> u32 {
        match self {
            LoadError::Open { .. } => 0,
            LoadError::Parse { error, .. } => error.line,
        }
    }

    /// What lvs and fos, by its name, say of it when they do not start; the original's words, and the place.
    pub fn stop(&self, program: &str) -> Stop {
        Stop::error(match self {
            LoadError::Open { path, .. } => format!("{program}: failed to open {}", path.display()),
            LoadError::Parse { path, .. } => {
                let (path, line, details) = (path.display(), self.line(), self.details());
                format!("{program}: error parsing {path} on line {line}.\n{}", details.trim_end())
            }
        })
    }

    /// What is wrong and where, over several lines, for whoever has to mend it: the system's reason, or the place
    /// in the file with a mark below it.
    pub fn details(&self) -> String {
        match self {
            LoadError::Open { path, error } => format!("{}: {error}", path.display()),
            LoadError::Parse { path, error, source } => {
                Diagnostic::from(error).render(&path.display().to_string(), source, Colour::Never)
            }
        }
    }
}

impl fmt::Display for LoadError {
    /// The original's words, without the name of the program in front: `failed to open FILE`,
    /// `error parsing FILE at line N: TEXT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Open { path, .. } => write!(f, "failed to open {}", path.display()),
            LoadError::Parse { path, error, .. } => {
                write!(f, "error parsing {} at line {}: {error}", path.display(), error.line)
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Open { error, .. } => Some(error),
            LoadError::Parse { error, .. } => Some(error),
        }
    }
}

/// Reads a configuration; names in it are looked up with the system's resolver.
///
/// # Errors
/// [`LoadError`], which tells a file that cannot be opened from one that is refused.
pub fn load(path: impl AsRef<Path>) -> Result<Config, LoadError> {
    let path = path.as_ref();
    let source = read(path)?;
    lvs_cf::parse(&source, &SystemResolver).map_err(|error| LoadError::Parse {
        path: path.to_owned(),
        error,
        source,
    })
}

/// Reads the bytes of a configuration file.
///
/// # Errors
/// [`LoadError::Open`] for a file that cannot be opened or is too long, [`LoadError::Parse`] with
/// [`ErrorKind::ReadError`] for one that can be opened but not read, such as a directory.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unopened = |error| LoadError::Open { path: path.to_owned(), error };
    let unread = |source| LoadError::Parse {
        path: path.to_owned(),
        error: Error::whole_file(ErrorKind::ReadError),
        source,
    };
    let file = File::open(path).map_err(unopened)?;
    match read_limited(file) {
        Ok(source) => Ok(source),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(unopened(error)),
        Err(_) => Err(unread(Vec::new())),
    }
}

/// Reads to the end, but no more than [`SIZE_LIMIT`] bytes.
///
/// # Errors
/// Those of reading; [`io::ErrorKind::FileTooLarge`] for more than the limit.
pub fn read_limited(input: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(input, SIZE_LIMIT)
}

fn read_at_most(input: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut source = Vec::new();
    input.take(limit + 1).read_to_end(&mut source)?;
    if source.len() as u64 > limit {
        let message = format!("longer than {} MiB", limit >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &str) -> (ErrorKind, u32) {
        match load(path) {
            Err(LoadError::Parse { error, .. }) => (error.kind, error.line),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_missing_file_cannot_be_opened() {
        let error = load("/nowhere/lvs.cf").unwrap_err();
        assert!(matches!(&error, LoadError::Open { error, .. } if error.kind() == io::ErrorKind::NotFound));
        assert_eq!(error.to_string(), "failed to open /nowhere/lvs.cf");
    }

    #[test]
    fn what_has_no_bytes_is_refused_in_line_0() {
        assert_eq!(refusal("/dev/null"), (ErrorKind::EmptyConfig, 0));
        assert_eq!(refusal("/"), (ErrorKind::ReadError, 0));
    }

    #[test]
    fn an_endless_input_is_cut_off() {
        let error = read_at_most(io::repeat(b'#'), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
