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
    let start = Operation::StartSync(SyncDaemon {
        role: match role {
            Role::Master => SyncRole::Master,
            Role::Backup => SyncRole::Backup,
        },
        interface: config.syncd_iface.to_string(),
        syncid: config.syncd_id as u8,
    });
    if let Some(Err(error)) = apply(config, &[STOP_BACKUP, STOP_MASTER, start]) {
        log::info!("cannot start the sync daemon: {error}");
    }
}

/// Stops the daemon, whatever its role, at the end of pulse.
pub fn stop(config: &Config) {
    apply(config, &[STOP_BACKUP, STOP_MASTER]);
}

const STOP_BACKUP: Operation = Operation::StopSync(SyncRole::Backup);
const STOP_MASTER: Operation = Operation::StopSync(SyncRole::Master);

/// What became of the last operation; nothing if lvs.cf asks for no daemon.
fn apply(config: &Config, operations: &[Operation]) -> Option<Result<(), String>> {
    if !config.syncdaemon {
        return None;
    }
    if log::log_enabled!(log::Level::Debug) {
        operations.iter().for_each(|operation| {
            log::debug!("DEBUG -- Executing 'ipvsadm {}'", operation.arguments().join(" "))
        });
    }
    match system::ipvs::backend(config.ipvsadm.as_os_str()) {
        Ok(mut backend) => {
            backend.apply(operations).pop().map(|result| result.map_err(|error| error.to_string()))
        }
        Err(error) => Some(Err(error.to_string())),
    }
}
