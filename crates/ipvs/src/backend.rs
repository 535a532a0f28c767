//! Where operations go.

use crate::{Error, ErrorKind, Operation, Table, Timeouts};

/// Something that holds an IPVS table: the kernel, the ipvsadm program or a test's recorder.
pub trait Backend {
    /// Reads the whole table.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the table cannot be read (the ipvsadm program): flush it and add
    /// everything, as Piranha did. Otherwise whatever kept the kernel from answering.
    fn table(&mut self) -> Result<Table, Error>;

    /// Carries out all operations in order, whether or not earlier ones fail: one result for each.
    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Error>>;
}

/// A backend for tests: a table that behaves as the kernel's, and a record of what was done to it.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    /// The table as it stands.
    pub table: Table,
    /// Everything applied so far, refused operations included.
    pub operations: Vec<Operation>,
    /// The timeouts last set; values of 0 left the earlier ones as they were.
    pub timeouts: Timeouts,
    refusals: Vec<(Operation, ErrorKind)>,
}

impl Recorder {
    /// A recorder with an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A recorder that starts with `table`.
    #[must_use]
    pub fn with(table: Table) -> Self {
        Self { table, ..Self::default() }
    }

    /// Refuses `operation` for the reason `kind` the next time it comes.
    pub fn refuse(&mut self, operation: Operation, kind: ErrorKind) {
        self.refusals.push((operation, kind));
    }

    /// The operations recorded since the last call.
    pub fn take(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }

    fn apply_one(&mut self, operation: &Operation) -> Result<(), Error> {
        self.operations.push(operation.clone());
        if let Some(index) = self.refusals.iter().position(|(refused, _)| refused == operation) {
            return Err(Error::new(operation, self.refusals.remove(index).1));
        }
        if let Operation::SetTimeouts(new) = operation {
            let or = |new: u32, old: u32| if new == 0 { old } else { new };
            let old = self.timeouts;
            self.timeouts = Timeouts {
                tcp: or(new.tcp, old.tcp),
                tcpfin: or(new.tcpfin, old.tcpfin),
                udp: or(new.udp, old.udp),
            };
        }
        self.table.apply(operation).map_err(|kind| Error::new(operation, kind))
    }
}

impl Backend for Recorder {
    fn table(&mut self) -> Result<Table, Error> {
        Ok(self.table.clone())
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Error>> {
        operations.iter().map(|operation| self.apply_one(operation)).collect()
    }
}
