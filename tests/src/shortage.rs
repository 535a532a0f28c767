//! What a host can run out of: processes, and room on its disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{mount, MsFlags};
use nix::sys::statvfs::statvfs;

use crate::host::{Host, DISK, DISK_SIZE};

/// What is used up on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// No block is free: a file can be made, but nothing be written into it.
    Blocks,
    /// No inode is free: no file can be made.
    Files,
}

impl Host {
    /// No process that runs on the host now can start another, until [`Host::allow_processes`]. What is started from
    /// outside (by this program) can.
    pub fn forbid_processes(&self) {
        let pids = self.processes();
        let group = self.group();
        self.run(move || {
            let fail = |error: io::Error| panic!("no limit of processes by {}: {error}", group.display());
            make_group(&group).unwrap_or_else(fail);
            fs::write(group.join("pids.max"), "0").unwrap_or_else(fail);
            for pid in pids {
                // It may have ended.
                let _ = fs::write(group.join("cgroup.procs"), pid.to_string());
            }
        });
    }

    /// Undoes [`Host::forbid_processes`].
    pub fn allow_processes(&self) {
        let group = self.group();
        self.run(move || {
            if !group.exists() {
                return;
            }
            fs::write(group.join("pids.max"), "max").expect("a limit of processes");
            let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines() {
                let _ = fs::write(Path::new(GROUPS).join("cgroup.procs"), pid);
            }
            // Fails while one is ending; the next limit uses it again.
            let _ = fs::remove_dir(&group);
        });
    }

    fn group(&self) -> PathBuf {
        Path::new(GROUPS).join(self.namespace())
    }

    /// Nothing more can be written below `/run` and `/etc`, until [`Host::empty_disk`].
    pub fn fill_disk(&self, room: Room) {
        self.run(move || {
            let fill = || {
                let disk = statvfs(DISK)?;
                let blocks = disk.blocks() - disk.blocks_free();
                let files = disk.files() - disk.files_free();
                resize_disk(&match room {
                    Room::Blocks => format!("size={}", blocks * disk.fragment_size()),
                    Room::Files => format!("nr_inodes={files}"),
                })
            };
            // A daemon may take some room between the two calls.
            let filled = (0..10).map(|_| fill()).find(Result::is_ok);
            assert!(filled.is_some(), "{DISK} cannot be filled");
        });
    }

    /// Undoes [`Host::fill_disk`].
    pub fn empty_disk(&self) {
        self.run(|| resize_disk(DISK_SIZE).expect("a disk with room"));
    }
}

/// Where the hierarchy of control groups is in a host's own `/sys`.
const GROUPS: &str = "/sys/fs/cgroup";

fn make_group(group: &Path) -> io::Result<()> {
    let control = Path::new(GROUPS).join("cgroup.subtree_control");
    if !control.exists() {
        mount(Some("cgroup2"), GROUPS, Some("cgroup2"), MsFlags::empty(), None::<&str>)?;
    }
    fs::write(control, "+pids")?;
    match fs::create_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn resize_disk(options: &str) -> nix::Result<()> {
    mount(None::<&str>, DISK, None::<&str>, MsFlags::MS_REMOUNT, Some(options))
}
