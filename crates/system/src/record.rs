//! What this node holds for the pair, written down so that it outlives a SIGKILL.
//!
//! One line per address, `10.0.0.100/24 eth0:1`, in a file of `/run/piranha` that is named after the network
//! namespace, because directors may share `/run` and not their networks. The file is advice: each line is
//! held against the kernel before anything is done about it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::vip::VirtualAddress;

const DIRECTORY: &str = "/run/piranha";

/// The record of one network namespace.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
}

impl Record {
    /// The record of the network namespace that this process lives in.
    pub fn of_this_network() -> Self {
        let namespace = fs::metadata("/proc/thread-self/ns/net").map_or(0, |file| file.ino());
        Self::at(Path::new(DIRECTORY).join(format!("addresses.{namespace}")))
    }

    /// A record in a file of one's own.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The addresses written down; none when there is no record. Lines that make no sense are skipped.
    ///
    /// # Errors
    /// Why a record that is there cannot be read, with its path.
    pub fn read(&self) -> io::Result<Vec<VirtualAddress>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().filter_map(parse).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))),
        }
    }

    /// Writes the record anew. A failure is logged and no more: the addresses matter, the record helps.
    pub fn write<'a>(&self, addresses: impl IntoIterator<Item = &'a VirtualAddress>) {
        let mut text = String::new();
        for vip in addresses {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}/{} {}", vip.address, vip.prefix, vip.label);
        }
        if let Err(error) = self.replace(&text) {
            log::warn!("cannot record the virtual addresses in {}: {error}", self.path.display());
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            if error.kind() != io::ErrorKind::NotFound {
                log::warn!("cannot remove {}: {error}", self.path.display());
            }
        }
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let mut fresh = self.path.clone().into_os_string();
        fresh.push(".new");
        match (fs::write(&fresh, text), self.path.parent()) {
            // The first time since the machine was started.
            (Err(error), Some(directory)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(directory)?;
                fs::write(&fresh, text)?;
            }
            (result, _) => result?,
        }
        fs::rename(&fresh, &self.path)
    }
}

fn parse(line: &str) -> Option<VirtualAddress> {
    let (network, label) = line.split_once(' ')?;
    let (address, prefix) = network.split_once('/')?;
    let prefix = prefix.parse().ok().filter(|prefix| *prefix <= 32)?;
    Some(VirtualAddress { address: address.parse().ok()?, prefix, label: label.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vip(address: [u8; 4], prefix: u8, label: &str) -> VirtualAddress {
        VirtualAddress { address: address.into(), prefix, label: label.to_owned() }
    }

    #[test]
    fn what_was_written_is_read_until_it_is_cleared() {
        let directory = std::env::temp_dir().join(format!("piranha-record-{}", std::process::id()));
        let record = Record::at(directory.join("addresses.1"));
        assert_eq!(record.read().unwrap(), []);
        let addresses = [vip([10, 0, 0, 100], 24, "eth0:1"), vip([10, 0, 0, 101], 32, "bond0.7:2")];
        record.write(&addresses);
        assert_eq!(record.read().unwrap(), addresses);
        record.clear();
        assert_eq!(record.read().unwrap(), []);
        record.clear();
        fs::remove_dir(&directory).unwrap();
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_an_empty_one() {
        let error = Record::at("/".into()).read().unwrap_err();
        assert!(error.to_string().starts_with("/: "), "{error}");
        let bytes = std::env::temp_dir().join(format!("piranha-record-bytes-{}", std::process::id()));
        fs::write(&bytes, b"\xff\n10.0.0.100/24 eth0:1\n").unwrap();
        assert_eq!(Record::at(bytes.clone()).read().unwrap(), [vip([10, 0, 0, 100], 24, "eth0:1")]);
        fs::remove_file(bytes).unwrap();
    }

    #[test]
    fn lines_without_sense_are_skipped() {
        for line in ["", "10.0.0.1", "10.0.0.1/33 eth0:1", "10.0.0/8 eth0:1", "x/24 eth0", "10.0.0.1 eth0"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }
}
