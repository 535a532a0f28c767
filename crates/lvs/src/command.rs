//! The argument vector of a nanny, word for word as the original lvsd builds it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use lvs_cf::{Config, Forwarding, Protocol, Server, Text, Virtual};

/// A program and its arguments, the program's own name (`argv[0]`) not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The path that is executed as it stands; PATH is not searched.
    pub program: OsString,
    /// The arguments after `argv[0]`.
    pub arguments: Vec<OsString>,
}

/// How this lvs runs, as far as its nannies are told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// `-v`: nannies log in detail too.
    pub verbose: bool,
    /// `-n`: nannies stay in the foreground too.
    pub foreground: bool,
}

/// The command that checks `server` of `service`.
///
/// The order of the options is part of the interface: site programs given as `client_monitor` read it.
pub fn nanny(config: &Config, service: &Virtual, server: &Server, style: Style) -> Command {
    let mut words = Words::default();
    words.flag("-c");
    words.option("-h", server.address);
    words.option("-p", service.port);
    words.option("-r", server.port);
    if service.fwmark != 0 {
        words.option("-f", service.fwmark);
    }
    words.flag_if(service.protocol == Protocol::Udp, "-u");
    words.text("-e", service.send_program.as_ref());
    words.text("-s", service.send.as_ref());
    words.text("-x", service.expect.as_ref());
    words.flag_if(service.quiesce_server, "-q");
    words.flag_if(service.use_regex, "--regex");
    words.flag_if(style.verbose, "-v");
    words.option("-a", service.reentry);
    words.text("-I", Some(&config.ipvsadm));
    // The original's nanny divided by zero here, ours refuses: neither is worth the whole director.
    words.option("-t", service.timeout.max(1));
    words.option("-w", server.weight);
    words.option("-V", service.address);
    words.option("-M", method(config.network));
    words.text("-U", load_command(config, service));
    words.flag_if(style.foreground || !service.sorry_server.is_unspecified(), "--nodaemon");
    words.flag("--lvs");
    Command { program: os(&service.client_monitor), arguments: words.0 }
}

fn method(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Nat => "m",
        Forwarding::Direct => "g",
        Forwarding::Tunnel => "i",
    }
}

/// `load_monitor = uptime` stands for the remote shell; everything else is passed as it is.
fn load_command<'a>(config: &'a Config, service: &'a Virtual) -> Option<&'a Text> {
    let monitor = service.load_monitor.as_ref()?;
    Some(if monitor.as_bytes() == b"uptime" { &config.rsh_command } else { monitor })
}

fn os(text: &Text) -> OsString {
    OsString::from_vec(text.as_bytes().to_vec())
}

#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    fn flag_if(&mut self, wanted: bool, flag: &str) {
        if wanted {
            self.flag(flag);
        }
    }

    fn option(&mut self, flag: &str, value: impl std::fmt::Display) {
        self.flag(flag);
        self.0.push(format!("{value}").into());
    }

    /// The value without one pair of double quotes: lvs.cf keeps them, nanny never saw them.
    fn text(&mut self, flag: &str, value: Option<&Text>) {
        if let Some(text) = value {
            self.flag(flag);
            self.0.push(OsString::from_vec(text.unquoted().to_vec()));
        }
    }
}
