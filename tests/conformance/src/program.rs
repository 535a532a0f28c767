//! The programs under test: those of this build, or others that the environment names.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;

/// A program of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The election.
    Pulse,
    /// The table.
    Lvsd,
    /// One check.
    Nanny,
    /// One announcement.
    SendArp,
    /// Failover services.
    Fos,
}

impl Program {
    /// All of them, with the name that rows and messages use.
    pub const ALL: [(&'static str, Program); 5] = [
        ("pulse", Program::Pulse),
        ("lvs", Program::Lvsd),
        ("nanny", Program::Nanny),
        ("send_arp", Program::SendArp),
        ("fos", Program::Fos),
    ];

    /// Its name in rows and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, program)| *program == self).unwrap().0
    }

    /// Where it is: what `PIRANHA_PULSE`, `PIRANHA_LVSD`, `PIRANHA_NANNY`, `PIRANHA_SEND_ARP` or `PIRANHA_FOS`
    /// says, else in the build directory of this test, freshly built.
    #[must_use]
    pub fn path(self) -> PathBuf {
        let variable = match self {
            Program::Pulse => "PIRANHA_PULSE",
            Program::Lvsd => "PIRANHA_LVSD",
            Program::Nanny => "PIRANHA_NANNY",
            Program::SendArp => "PIRANHA_SEND_ARP",
            Program::Fos => "PIRANHA_FOS",
        };
        if let Some(path) = std::env::var_os(variable) {
            return path.into();
        }
        static BUILT: Once = Once::new();
        BUILT.call_once(build);
        build_directory().join(self.name())
    }
}

/// Whether the programs are the originals (`PIRANHA_ORIGINAL=1`): then rows say what those do.
#[must_use]
pub fn original() -> bool {
    std::env::var_os("PIRANHA_ORIGINAL").is_some()
}

/// `target/debug` or `target/release`: this test lies in its `deps`.
fn build_directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().to_owned()
}

/// cargo builds the programs of a package before its own tests only.
fn build() {
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--offline", "--bins"]);
    for (name, _) in Program::ALL {
        command.args(["--package", name]);
    }
    if build_directory().ends_with("release") {
        command.arg("--release");
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    assert!(command.current_dir(root).status().unwrap().success(), "the programs do not build");
}
