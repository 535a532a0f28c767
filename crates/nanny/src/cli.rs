//! The command line.

use std::ffi::OsString;
use std::net::Ipv4Addr;

use health::{unescape, Endpoint};
use ipvs::Forwarding;
use system::options::{version_block, Opt, Options, Stop, Values};

use crate::address;

/// The version of the original whose interface this is.
const VERSION: &str = "nanny 1.46";
/// The program that nanny edits the IPVS table with, unless told otherwise.
pub const IPVSADM: &str = "/sbin/ipvsadm";
/// Seconds for which a failed server must answer, unless told otherwise.
const REENTRY: u32 = 180;

/// The options; first the original's in its order, then the spellings that only its manual page had.
const TABLE: &[Opt] = &[
    Opt::integer("interval").short('t').help("Seconds between checks, and longest wait within one"),
    Opt::text("ipvsadm").short('I').help("Program that edits the IPVS table"),
    Opt::text("loadcmd").short('U').help("Command that tells the load of the server"),
    Opt::text("method").short('M').help("Forwarding: m (masquerading), g (direct routing), i or t (tunnel)"),
    Opt::flag("nodaemon").short('n').help("Stay in the foreground, log to standard output as well"),
    Opt::flag("nofork").short('c').help("Become a daemon without forking"),
    Opt::integer("port").short('p').help("Port of the virtual service"),
    Opt::integer("rport").short('r').help("Port of the real server"),
    Opt::integer("reentrytime")
        .short('a')
        .help("Seconds a failed server must answer before it is taken back"),
    Opt::integer("scale").short('S').help("A low load raises the weight up to so many times"),
    Opt::text("server").short('h').help("Address of the real server"),
    Opt::text("send_program").short('e').help("Program that checks the service"),
    Opt::text("send_string").short('s').help("Text to send to the service"),
    Opt::text("expect_string").short('x').help("Text expected from the service or the program"),
    Opt::flag("regex").help("The expected text is a regular expression"),
    Opt::flag("suppress").short('T').help("Leave backslashes in texts alone"),
    Opt::flag("quiesce_server").short('q').help("Give a failed server weight 0 instead of removing it"),
    Opt::flag("udp").short('u').help("The service uses UDP"),
    Opt::flag("verbose").short('v').help("Log debug messages"),
    Opt::text("virtaddress").short('V').help("Address of the virtual service"),
    Opt::word("fwmark").short('f').help("Firewall mark of the virtual service"),
    Opt::integer("weight").short('w').help("Weight of the server"),
    Opt::flag("test-start").help("Check, but leave the IPVS table alone"),
    Opt::flag("norun").help("Check, but leave the IPVS table alone"),
    Opt::flag("fos").help("Watch a service for fos"),
    Opt::flag("lvs").help("Watch a real server for lvs"),
    Opt::flag("version").help("Display version"),
    Opt::alias("quiesce-server", "quiesce_server"),
    Opt::alias("UDP", "udp"),
    Opt::alias("send_str", "send_string"),
    Opt::alias("expect_str", "expect_string"),
];

/// Whether nanny leaves the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detachment {
    /// No: messages go to standard output as well as to syslog.
    Foreground,
    /// Yes, but it stays the same process.
    InPlace,
    /// Yes, as a new process; the command returns at once.
    Daemon,
}

/// How the service is checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Over UDP instead of TCP. Also selects the virtual service.
    pub udp: bool,
    /// Command to run instead of a connection.
    pub program: Option<Vec<u8>>,
    /// What to send, decoded.
    pub send: Option<Vec<u8>>,
    /// What to expect, decoded.
    pub expect: Option<Vec<u8>>,
    /// `expect` is a regular expression.
    pub regex: bool,
    /// A send string was given with a program, and is not used.
    pub send_ignored: bool,
    /// Nothing was given, and the port is that of the web.
    pub assumed: bool,
}

/// A command line that makes sense.
#[derive(Debug, Clone)]
pub struct Config {
    /// Work for fos instead of lvs.
    pub failover: bool,
    /// Whether to leave the terminal.
    pub detachment: Detachment,
    /// Log debug messages.
    pub verbose: bool,
    /// Only check; leave the IPVS table alone.
    pub dry_run: bool,
    /// Pause between checks, in seconds, at least 1; also the longest wait within one.
    pub interval: u32,
    /// Seconds for which a failed server must answer.
    pub reentry: u32,
    /// Configured weight.
    pub weight: u32,
    /// How many times the configured weight a low load may lead to.
    pub scale: u32,
    /// Keep a failed server entered with weight 0.
    pub quiesce: bool,
    /// The real server.
    pub server: Endpoint,
    /// Its address as it was given.
    pub server_text: String,
    /// The virtual service's address as it was given.
    pub virtual_text: String,
    /// The virtual service's port as it was given; one that is none only where neither the service nor the check is
    /// named by it.
    pub virtual_port: i32,
    /// The virtual service's firewall mark, or 0.
    pub mark: u32,
    /// How packets reach the real server.
    pub forwarding: Forwarding,
    /// The program that edits the IPVS table.
    pub ipvsadm: OsString,
    /// Command that tells the load.
    pub load_command: Option<Vec<u8>>,
    /// How to check.
    pub service: Service,
}

/// Reads the command line, `argv[0]` first.
///
/// # Errors
/// What to print and the exit status: help, version or what is wrong. The order of the checks is the
/// original's.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Config, Stop> {
    let values = Options::new("nanny", TABLE).parse(arguments)?;
    if values.flag("version") {
        return Err(Stop { text: version_block(VERSION).into_bytes(), status: 0 });
    }
    let server_text = text(&values, "server")
        .ok_or_else(|| Stop::error("nanny: No address supplied. Use '--help' for help. "))?;
    let address = address::parse(&server_text)
        .ok_or_else(|| Stop::error(format!("nanny: bad IP address -- {server_text}")))?;
    if !values.flag("fos") && !values.flag("lvs") {
        return Err(Stop::error("nanny: unknown service type"));
    }
    config(&values, address, server_text)
}

fn config(values: &Values, address: Ipv4Addr, server_text: String) -> Result<Config, Stop> {
    let failover = values.flag("fos");
    let interval = positive(values, "interval", 10)?;
    let virtual_port = values.integer("port").unwrap_or(80);
    let mark = values.word("fwmark").unwrap_or(0);
    if !failover && mark == 0 {
        port("port", virtual_port)?;
    }
    let checked_port = match values.integer("rport") {
        Some(number) => port("rport", number)?,
        None => port("port", virtual_port)?,
    };
    let reentry = match natural(values, "reentrytime") {
        0 if failover => interval,
        0 => REENTRY,
        reentry => reentry,
    };
    Ok(Config {
        failover,
        detachment: detachment(values),
        verbose: values.flag("verbose"),
        dry_run: values.flag("test-start") || values.flag("norun"),
        interval,
        reentry,
        weight: values.integer("weight").map_or(1, |weight| weight.try_into().unwrap_or(1)),
        scale: values.integer("scale").map_or(10, |scale| scale.try_into().unwrap_or(0)),
        quiesce: values.flag("quiesce_server"),
        server: Endpoint { address, port: checked_port },
        server_text,
        // What C printed for an absent string.
        virtual_text: text(values, "virtaddress").unwrap_or_else(|| "(null)".to_owned()),
        virtual_port,
        mark,
        forwarding: forwarding(values.bytes("method").unwrap_or_default()),
        ipvsadm: values.text("ipvsadm").unwrap_or(IPVSADM.as_ref()).to_owned(),
        load_command: owned(values, "loadcmd").filter(|command| command != b"none"),
        service: service(values, virtual_port),
    })
}

fn text(values: &Values, name: &str) -> Option<String> {
    values.text(name).map(|text| text.to_string_lossy().into_owned())
}

fn owned(values: &Values, name: &str) -> Option<Vec<u8>> {
    values.bytes(name).map(<[u8]>::to_vec)
}

/// A number of which 0 and less mean the default.
fn natural(values: &Values, name: &str) -> u32 {
    values.integer(name).and_then(|number| number.try_into().ok()).unwrap_or(0)
}

/// The original divided by this number.
fn positive(values: &Values, name: &str, default: u32) -> Result<u32, Stop> {
    match values.integer(name) {
        None => Ok(default),
        Some(number) if number > 0 => Ok(number.unsigned_abs()),
        Some(number) => Err(Stop::error(format!("nanny: bad {name} -- {number}"))),
    }
}

fn port(name: &str, number: i32) -> Result<u16, Stop> {
    number.try_into().map_err(|_| Stop::error(format!("nanny: bad {name} -- {number}")))
}

fn detachment(values: &Values) -> Detachment {
    if values.flag("nodaemon") {
        Detachment::Foreground
    } else if values.flag("nofork") {
        Detachment::InPlace
    } else {
        Detachment::Daemon
    }
}

/// The first letter counts; a dash before it does not.
fn forwarding(method: &[u8]) -> Forwarding {
    match method.strip_prefix(b"-").unwrap_or(method).first() {
        Some(b'i' | b't') => Forwarding::Tunnel,
        Some(b'g') => Forwarding::Direct,
        _ => Forwarding::Masquerade,
    }
}

fn service(values: &Values, virtual_port: i32) -> Service {
    let program = owned(values, "send_program");
    let send = owned(values, "send_string");
    let expect = owned(values, "expect_string");
    let assumed = virtual_port == 80 && program.is_none() && send.is_none() && expect.is_none();
    let decode = |text: Vec<u8>| if values.flag("suppress") { text } else { unescape(&text) };
    let common = Service { udp: values.flag("udp"), regex: values.flag("regex"), ..Service::default() };
    if assumed {
        let (send, expect) = (Some(b"GET / HTTP/1.0\r\n\r\n".to_vec()), Some(b"HTTP".to_vec()));
        return Service { send, expect, assumed, ..common };
    }
    let (send, send_ignored) = match program {
        Some(_) => (None, send.is_some()),
        None => (send.map(decode), false),
    };
    Service { program, send, expect: expect.map(decode), send_ignored, ..common }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
