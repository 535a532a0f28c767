//! The kernel's connection synchronisation daemon: master on the active node, backup on the other.

use ipvs::{Operation, SyncDaemon, SyncRole};
use lvs_cf::Config;

/// Which end of the synchronisation this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends its connections.
    Master,
    /// Receives them.
    Backup,
}

/// Gives the daemon its role, if lvs.cf asks for one. Both are stopped first, as the original does; that one
/// of them did not run is no failure.
pub fn set_role(config: &Config, role: Role) {
    if !config.syncdaemon {
        return;
    }
    let daemon = SyncDaemon {
        role: match role {
            Role::Master => SyncRole::Master,
            Role::Backup => SyncRole::Backup,
        },
        interface: config.syncd_iface.to_string(),
        syncid: config.syncd_id as u8,
    };
    let operations = [
        Operation::StopSync(SyncRole::Backup),
        Operation::StopSync(SyncRole::Master),
        Operation::StartSync(daemon),
    ];
    let result = match system::ipvs::backend(config.ipvsadm.as_os_str()) {
        Ok(mut backend) => {
            backend.apply(&operations).pop().unwrap_or(Ok(())).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = result {
        log::info!("cannot start the sync daemon: {error}");
    }
}
