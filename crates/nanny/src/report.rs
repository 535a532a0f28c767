//! What becomes of a verdict: a line to lvs, or a change of the IPVS table.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use health::Change;
use ipvs::{Backend, Destination, DestinationKey, Error, ErrorKind, Operation, Protocol, ServiceKey};
use system::ipvs::{Kernel, Program};

use crate::cli::{Config, IPVSADM};

/// Environment variable with the number of the descriptor on which lvs takes verdicts.
///
/// Each verdict is a line: `up WEIGHT` (available), `weight WEIGHT` (still available, with another weight),
/// `quiesce` (weight 0, keep the entry if there is one), `down` (remove it). One of the last two is said of a server
/// whose first check fails, too.
const STATUS: &str = "PIRANHA_STATUS_FD";
/// Set by lvs when the server is in service already, under an earlier nanny.
const IN_SERVICE: &str = "PIRANHA_RESUME";

/// What lvs, if it is the parent, tells by way of the environment.
#[derive(Debug, Default)]
pub struct Parent {
    /// The pipe for verdicts.
    pub status: Option<OwnedFd>,
    /// Whether the server has its full weight already.
    pub in_service: bool,
}

impl Parent {
    /// Reads the environment, and cleans it: programs shall not inherit what is meant for nanny. Call it once,
    /// before descriptors are opened.
    pub fn take() -> Self {
        let status = system::child::take_inherited(STATUS);
        let in_service = std::env::var_os(IN_SERVICE).is_some();
        std::env::remove_var(IN_SERVICE);
        Parent { status, in_service }
    }
}

/// Where verdicts go.
pub enum Reporter {
    /// Nowhere (`--norun`, fos).
    Nobody,
    /// To lvs, the only writer of the IPVS table.
    Parent(File),
    /// To the program that `--ipvsadm` names.
    Program(Program),
    /// To the kernel. The connection to it is made when it is needed.
    Kernel(Option<Kernel>),
}

/// Why a verdict could not be reported.
#[derive(Debug)]
pub enum Refused {
    /// lvs does not read any more.
    ParentGone,
    /// The table could not be changed; what is known of the reason.
    Failed(String),
}

impl Reporter {
    /// The reporter that the command line and the environment ask for.
    pub fn new(config: &Config, status: Option<OwnedFd>) -> Self {
        match status {
            _ if config.dry_run || config.failover => Self::Nobody,
            Some(pipe) => Self::Parent(pipe.into()),
            None => Self::itself(config),
        }
    }

    fn itself(config: &Config) -> Self {
        if config.ipvsadm == IPVSADM {
            Self::Kernel(None)
        } else {
            Self::Program(Program::new(&config.ipvsadm))
        }
    }

    /// From now on nanny edits the table itself: lvs, which did, is gone.
    pub fn take_over(&mut self, config: &Config) {
        if matches!(self, Self::Parent(_)) {
            *self = Self::itself(config);
        }
    }

    /// Another handle on the pipe to the parent, if there is one.
    pub fn parent(&self) -> Option<OwnedFd> {
        match self {
            Self::Parent(pipe) => pipe.as_fd().try_clone_to_owned().ok(),
            _ => None,
        }
    }

    /// Tells the parent, if there is one, that the first check has failed. A nanny that edits the table itself has
    /// entered nothing yet; the parent may hold an entry from an earlier nanny, and connections with it.
    ///
    /// # Errors
    /// [`Refused::ParentGone`].
    pub fn never_up(&mut self, quiesce: bool) -> Result<(), Refused> {
        let change = if quiesce { Change::Quiesce } else { Change::Remove };
        match self {
            Self::Parent(pipe) => {
                pipe.write_all(status_line(change).as_bytes()).map_err(|_| Refused::ParentGone)
            }
            Self::Nobody | Self::Program(_) | Self::Kernel(_) => Ok(()),
        }
    }

    /// Reports a change.
    ///
    /// # Errors
    /// [`Refused::Failed`] if the table was not changed. For the kernel it is no error that what is to be
    /// added is there, or that what is to be removed is gone.
    pub fn report(&mut self, config: &Config, change: Change) -> Result<(), Refused> {
        match self {
            Self::Nobody => Ok(()),
            Self::Parent(pipe) => {
                pipe.write_all(status_line(change).as_bytes()).map_err(|_| Refused::ParentGone)
            }
            Self::Program(program) => program.run(&arguments(config, change)).map_err(Refused::Failed),
            Self::Kernel(kernel) => {
                open(kernel).and_then(|kernel| edit(kernel, config, change)).map_err(Refused::Failed)
            }
        }
    }
}

fn status_line(change: Change) -> String {
    match change {
        Change::Add(weight) | Change::Readmit(weight) => format!("up {weight}\n"),
        Change::Weight(weight) => format!("weight {weight}\n"),
        Change::Quiesce => "quiesce\n".to_owned(),
        Change::Remove => "down\n".to_owned(),
    }
}

/// ipvsadm's arguments. The virtual address is passed on as it was given, even if it is none.
fn arguments(config: &Config, change: Change) -> Vec<String> {
    let (command, weight) = match change {
        Change::Add(weight) => ("-a", Some(weight)),
        Change::Readmit(weight) | Change::Weight(weight) => ("-e", Some(weight)),
        Change::Quiesce => ("-e", Some(0)),
        Change::Remove => ("-d", None),
    };
    let [option, service] = match (config.mark, config.service.udp) {
        (0, false) => ["-t".to_owned(), format!("{}:{}", config.virtual_text, config.virtual_port)],
        (0, true) => ["-u".to_owned(), format!("{}:{}", config.virtual_text, config.virtual_port)],
        (mark, _) => ["-f".to_owned(), mark.to_string()],
    };
    let mut words = vec![command.to_owned(), option, service, "-r".to_owned(), config.server.to_string()];
    if let Some(weight) = weight {
        words.extend([config.forwarding.option().to_owned(), "-w".to_owned(), weight.to_string()]);
    }
    words
}

/// The kernel's table, opened at the first use.
fn open(kernel: &mut Option<Kernel>) -> Result<&mut Kernel, String> {
    match kernel {
        Some(kernel) => Ok(kernel),
        None => Ok(kernel.insert(Kernel::open().map_err(|error| error.to_string())?)),
    }
}

fn edit(table: &mut dyn Backend, config: &Config, change: Change) -> Result<(), String> {
    let service = service_key(config)?;
    let port = service.destination_port(config.forwarding, config.server.port);
    let key = DestinationKey { address: config.server.address, port };
    let with = |weight| Destination { key, forwarding: config.forwarding, weight };
    let mut apply = |operation: Operation| table.apply(&[operation]).pop().unwrap_or(Ok(()));
    let result = match change {
        Change::Add(weight) => match apply(Operation::AddDestination(service, with(weight))) {
            // Left over from a monitor that was killed.
            Err(Error { kind: ErrorKind::Exists, .. }) => {
                apply(Operation::EditDestination(service, with(weight)))
            }
            result => result,
        },
        Change::Readmit(weight) => match apply(Operation::EditDestination(service, with(weight))) {
            // Taken out by somebody else while it was quiesced: it is up, so it has to be entered.
            Err(error) if error.is_missing() => apply(Operation::AddDestination(service, with(weight))),
            result => result,
        },
        Change::Weight(weight) => apply(Operation::EditDestination(service, with(weight))),
        Change::Quiesce => apply(Operation::EditDestination(service, with(0))),
        Change::Remove => apply(Operation::DeleteDestination(service, key)),
    };
    match result {
        // Taken out by somebody else.
        Err(error) if error.is_missing() && !matches!(change, Change::Add(_)) => Ok(()),
        result => result.map_err(|error| error.to_string()),
    }
}

fn service_key(config: &Config) -> Result<ServiceKey, String> {
    if config.mark != 0 {
        return Ok(ServiceKey::FwMark(config.mark));
    }
    let address = config.virtual_text.parse().map_err(|_| format!("bad address {}", config.virtual_text))?;
    let protocol = if config.service.udp { Protocol::Udp } else { Protocol::Tcp };
    let port = config.virtual_port.try_into().map_err(|_| format!("bad port {}", config.virtual_port))?;
    Ok(ServiceKey::Address { protocol, address, port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipvs::{Recorder, Service};

    #[test]
    fn lines_for_lvs() {
        let cases = [
            (Change::Add(3), "up 3\n"),
            (Change::Readmit(1), "up 1\n"),
            (Change::Weight(6), "weight 6\n"),
            (Change::Quiesce, "quiesce\n"),
            (Change::Remove, "down\n"),
        ];
        for (change, line) in cases {
            assert_eq!(status_line(change), line);
        }
    }

    fn config(extra: &str) -> Config {
        let line = format!("nanny --lvs -h 10.0.0.2 -p 80 -r 8080 -V 10.0.0.100 {extra}");
        crate::cli::parse(line.split_whitespace().map(Into::into)).unwrap()
    }

    /// What is done to the kernel's table, in ipvsadm's words, and whether all of it counts as done.
    #[test]
    fn changes_of_the_kernels_table() {
        let all = [Change::Add(2), Change::Weight(4), Change::Quiesce, Change::Readmit(2), Change::Remove];
        let (service, server) = ("-t 10.0.0.100:80", "-r 10.0.0.2:8080");
        let expected = [("a", "2"), ("e", "4"), ("e", "0"), ("e", "2")]
            .map(|(command, weight)| format!("-{command} {service} {server} -m -w {weight}"));
        let config = config("");
        let key = service_key(&config).unwrap();
        let mut table = Recorder::new();
        table.apply(&[Operation::AddService(Service { key, scheduler: "wlc".into(), persistence: None })]);
        table.take();
        for change in all {
            edit(&mut table, &config, change).unwrap();
        }
        let done = words(&mut table);
        assert_eq!(done[..4], expected);
        assert_eq!(done[4], format!("-d {service} {server}"));

        // Gone already: nothing to complain about. There already: edited.
        edit(&mut table, &config, Change::Remove).unwrap();
        edit(&mut table, &config, Change::Weight(9)).unwrap();
        edit(&mut table, &config, Change::Add(1)).unwrap();
        table.take();
        edit(&mut table, &config, Change::Add(3)).unwrap();
        let again = [("a", "3"), ("e", "3")]
            .map(|(command, weight)| format!("-{command} {service} {server} -m -w {weight}"));
        assert_eq!(words(&mut table), again);

        // A quiesced server whose entry somebody took out comes back all the same.
        edit(&mut table, &config, Change::Remove).unwrap();
        table.take();
        edit(&mut table, &config, Change::Readmit(3)).unwrap();
        let [add, edit_first] = again;
        assert_eq!(words(&mut table), [edit_first, add]);

        // Without the service nothing can be added.
        table.apply(&[Operation::Flush]);
        assert!(edit(&mut table, &config, Change::Add(1)).is_err());
        edit(&mut table, &config, Change::Remove).unwrap();
    }

    /// As ipvsadm does it: direct routing cannot change the port.
    #[test]
    fn direct_routing_keeps_the_port_of_the_service() {
        let mut table = Recorder::new();
        let _ = edit(&mut table, &config("-M g"), Change::Add(1));
        assert_eq!(words(&mut table), ["-a -t 10.0.0.100:80 -r 10.0.0.2:80 -g -w 1"]);
    }

    fn words(table: &mut Recorder) -> Vec<String> {
        table.take().iter().map(|operation| operation.arguments().join(" ")).collect()
    }

    #[test]
    fn vectors_for_ipvsadm() {
        let line = |extra: &str, change| arguments(&config(extra), change).join(" ");
        let cases = [
            ("", Change::Add(3), "-a -t 10.0.0.100:80 -r 10.0.0.2:8080 -m -w 3"),
            ("-M g", Change::Weight(6), "-e -t 10.0.0.100:80 -r 10.0.0.2:8080 -g -w 6"),
            ("-M ipip", Change::Quiesce, "-e -t 10.0.0.100:80 -r 10.0.0.2:8080 -i -w 0"),
            ("-M t -u", Change::Readmit(1), "-e -u 10.0.0.100:80 -r 10.0.0.2:8080 -i -w 1"),
            ("-f 2147483649", Change::Add(1), "-a -f 2147483649 -r 10.0.0.2:8080 -m -w 1"),
            ("-f 7 -u", Change::Remove, "-d -f 7 -r 10.0.0.2:8080"),
        ];
        for (extra, change, expected) in cases {
            assert_eq!(line(extra, change), expected, "{extra}");
        }
    }
}
