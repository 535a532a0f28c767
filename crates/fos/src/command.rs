//! The programs that fos runs, word for word as the original runs them.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStringExt;

use lvs_cf::{Protocol, Text, Virtual};

/// A program and its arguments, the program's own name (`argv[0]`) not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The path that is executed as it stands; PATH is not searched.
    pub program: OsString,
    /// The arguments after `argv[0]`.
    pub arguments: Vec<OsString>,
}

impl Command {
    /// A `start_cmd` or `stop_cmd`: one pair of double quotes off, words at every single blank (two of them make
    /// an empty word), no shell. None when there is no program in it.
    pub fn of(text: Option<&Text>) -> Option<Self> {
        let mut words = text?.unquoted().split(|byte| *byte == b' ').map(os);
        let program = words.next().filter(|program| !program.is_empty())?;
        Some(Self { program, arguments: words.collect() })
    }

    /// The program, for people.
    pub fn path(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// The whole command, for people.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// How this fos runs, as far as its monitors are told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// `-v`: monitors log in detail too.
    pub verbose: bool,
    /// `-n`: monitors stay in the foreground too.
    pub foreground: bool,
}

/// The command that checks `service` while the partner serves it.
///
/// The order of the options is part of the interface: site programs given as `client_monitor` read it. `-h` is the
/// virtual address and `-V` the partner's own, not the other way round.
pub fn monitor(service: &Virtual, partner: Ipv4Addr, style: Style) -> Command {
    let mut arguments: Vec<OsString> = vec!["-c".into()];
    let mut option = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
    option("-h", service.address.to_string().into());
    option("-V", partner.to_string().into());
    option("-p", service.port.to_string().into());
    if style.verbose {
        arguments.push("-v".into());
    }
    if service.protocol == Protocol::Udp {
        arguments.push("-u".into());
    }
    for (flag, text) in [("-e", &service.send_program), ("-s", &service.send), ("-x", &service.expect)] {
        if let Some(text) = text {
            arguments.extend([flag.into(), os(text.unquoted())]);
        }
    }
    arguments.extend(["-t".into(), service.timeout.to_string().into()]);
    if style.foreground {
        arguments.push("--nodaemon".into());
    }
    arguments.push("--fos".into());
    Command { program: os(service.client_monitor.as_bytes()), arguments }
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_every_single_blank() {
        let table: [(&str, Option<&[&str]>); 7] = [
            ("/bin/true", Some(&["/bin/true"])),
            ("\"/etc/init.d/httpd start\"", Some(&["/etc/init.d/httpd", "start"])),
            ("\"/a  b \"", Some(&["/a", "", "b", ""])),
            ("\"/a 'b c' $HOME;\"", Some(&["/a", "'b", "c'", "$HOME;"])),
            ("'/a b'", Some(&["'/a", "b'"])),
            ("\"\"", None),
            ("\" /a\"", None),
        ];
        for (text, words) in table {
            let command = Command::of(Some(&Text::from(text)));
            let found = command.map(|command| [vec![command.program], command.arguments].concat());
            let words = words.map(|words| words.iter().map(OsString::from).collect::<Vec<_>>());
            assert_eq!(found, words, "{text}");
        }
        assert_eq!(Command::of(None), None);
    }

    #[test]
    fn a_monitor_gets_its_options_in_the_originals_order() {
        let mut service = Virtual::new(Text::from("web"));
        service.address = [10, 0, 0, 100].into();
        service.port = 8080;
        service.timeout = 6;
        let words = |service: &Virtual, style| monitor(service, [10, 0, 0, 2].into(), style).line();
        assert_eq!(
            words(&service, Style::default()),
            "/usr/sbin/nanny -c -h 10.0.0.100 -V 10.0.0.2 -p 8080 -t 6 --fos"
        );
        service.client_monitor = Text::from("/opt/check");
        service.protocol = Protocol::Udp;
        service.send_program = Some(Text::from("\"/opt/probe %h\""));
        service.send = Some(Text::from("\"ping\\n\""));
        service.expect = Some(Text::from("pong"));
        assert_eq!(
            words(&service, Style { verbose: true, foreground: true }),
            "/opt/check -c -h 10.0.0.100 -V 10.0.0.2 -p 8080 -v -u -e /opt/probe %h -s ping\\n -x pong -t 6 \
             --nodaemon --fos"
        );
    }
}
