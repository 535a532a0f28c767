//! Reading the file, or the standard input in its place.

use lvs_cf::{Error, ErrorKind};
use std::io;
use std::path::Path;
use system::config::{self, LoadError};

/// Reads the bytes of `file`, where `-` is the standard input.
///
/// # Errors
/// Those of [`config::read`].
pub fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    if file.as_os_str() != "-" {
        return config::read(file);
    }
    config::read_limited(io::stdin().lock()).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => LoadError::Open { path: file.to_owned(), error },
        _ => LoadError::Parse {
            path: file.to_owned(),
            error: Error::whole_file(ErrorKind::ReadError),
            source: Vec::new(),
        },
    })
}
