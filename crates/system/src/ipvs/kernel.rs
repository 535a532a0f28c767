//! The kernel's IPVS table by generic netlink.

use std::io;
use std::process::{Command, Stdio};

use ipvs::wire::{self, Listed};
use ipvs::{Backend, Error, ErrorKind, Operation, Table};
use netlink_packet_core::{NlasIterator, ParseableParametrized};
use netlink_packet_generic::constants::{CTRL_ATTR_FAMILY_ID, GENL_HDRLEN};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::GenlMessage;
use netlink_sys::protocols::NETLINK_GENERIC;

use crate::netlink::{malformed, Message, Netlink};

/// Loads kernel modules: the default of the sysctl `kernel.modprobe`.
const MODPROBE: &str = "/sbin/modprobe";
const MODULE: &str = "ip_vs";

/// The IPVS table of the network namespace in which it was opened. Needs CAP_NET_ADMIN.
#[derive(Debug)]
pub struct Kernel {
    netlink: Netlink,
    /// The number that the kernel gave to the family `IPVS`.
    family: u16,
}

impl Kernel {
    /// Opens the table; loads the module `ip_vs` where the kernel does not have IPVS yet.
    ///
    /// # Errors
    /// `NotFound` if the kernel has no IPVS and cannot load it; otherwise whatever kept it from answering.
    pub fn open() -> io::Result<Self> {
        let mut netlink = Netlink::open(NETLINK_GENERIC)?;
        let family = match family(&mut netlink) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                load_module();
                family(&mut netlink).map_err(explain)?
            }
            result => result?,
        };
        Ok(Self { netlink, family })
    }

    fn message(&self, payload: wire::Message) -> GenlMessage<wire::Message> {
        let mut message = GenlMessage::from_payload(payload);
        message.set_resolved_family_id(self.family);
        message
    }

    /// The messages of a dump, those of the IPVS family alone.
    fn dump(&mut self, request: wire::Message) -> Result<Vec<wire::Message>, Error> {
        let request = self.message(request);
        let messages = self.netlink.dump(&request).map_err(|error| Error::reading(kind(&error)))?;
        messages.iter().filter(|message| message.kind == self.family).map(parse).collect()
    }
}

impl Backend for Kernel {
    fn table(&mut self) -> Result<Table, Error> {
        let mut table = Table::new();
        for message in self.dump(wire::dump_services())? {
            // The kernel lists destinations service by service only.
            if let Listed::Service(key) = wire::read_service(&message, &mut table).map_err(Error::reading)? {
                for message in self.dump(wire::dump_destinations(&key))? {
                    wire::read_destination(&message, &key, &mut table).map_err(Error::reading)?;
                }
            }
        }
        Ok(table)
    }

    fn apply(&mut self, operations: &[Operation]) -> Vec<Result<(), Error>> {
        let requests = operations.iter().map(|operation| (0, self.message(wire::request(operation))));
        let answers = self.netlink.execute(requests.collect());
        let explain = |operation, error: &io::Error| match error.raw_os_error() {
            Some(errno) => Error::from_errno(operation, errno),
            None => Error::new(operation, kind(error)),
        };
        let results = operations.iter().zip(answers);
        results.map(|(operation, answer)| answer.map_err(|error| explain(operation, &error))).collect()
    }
}

/// Asks the kernel for the number of the IPVS family: `NotFound` if it has none.
fn family(netlink: &mut Netlink) -> io::Result<u16> {
    let name = GenlCtrlAttrs::FamilyName(wire::FAMILY_NAME.into());
    let request = GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] };
    for answer in netlink.query(GenlMessage::from_payload(request))? {
        for attribute in NlasIterator::new(answer.payload.get(GENL_HDRLEN..).unwrap_or_default()) {
            let attribute = attribute.map_err(malformed)?;
            if let (CTRL_ATTR_FAMILY_ID, Ok(number)) = (attribute.kind(), attribute.value().try_into()) {
                return Ok(u16::from_ne_bytes(number));
            }
        }
    }
    Err(malformed("no family number"))
}

/// Whether that worked shows when the family is asked for again.
fn load_module() {
    let status = Command::new(MODPROBE)
        .arg(MODULE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    log::debug!("{MODPROBE} {MODULE}: {status:?}");
}

fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(io::ErrorKind::NotFound, ErrorKind::ModuleMissing.to_string())
        }
        _ => error,
    }
}

fn parse(message: &Message) -> Result<wire::Message, Error> {
    GenlMessage::<wire::Message>::parse_with_param(&message.payload, message.kind)
        .map(|message| message.into_parts().1)
        .map_err(|error| Error::reading(ErrorKind::Malformed(error.to_string())))
}

fn kind(error: &io::Error) -> ErrorKind {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::PermissionDenied, _) => ErrorKind::Permission,
        (_, Some(errno)) => ErrorKind::Other(errno),
        (io::ErrorKind::TimedOut, _) => ErrorKind::Other(libc::ETIMEDOUT),
        (io::ErrorKind::ResourceBusy, _) => ErrorKind::Other(libc::EBUSY),
        _ => ErrorKind::Malformed(error.to_string()),
    }
}
