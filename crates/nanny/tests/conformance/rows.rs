//! The rows. Events are written `SECONDS WHAT` since the start, or `end WHAT` after the TERM at the end.
//!
//! In log lines `active`, `inactive` and `term` stand for the long texts, `{R}` for the real server, `{RP}` for
//! its port, `{DIR}` for the test's directory, `{I}` for the ipvsadm. In calls `A 3` stands for adding with
//! weight 3, `E 6` for an edit, `D` for a deletion.

use super::rig::server::Script::{self, *};
use nix::sys::signal::Signal::{self, SIGHUP, SIGUSR1, SIGUSR2};
use std::sync::LazyLock;

/// A run of nanny.
pub struct Row {
    pub id: &'static str,
    pub server: Script,
    /// First arguments.
    pub base: Vec<&'static str>,
    pub arguments: Vec<&'static str>,
    /// When TERM is sent.
    pub seconds: f64,
    pub signals: Vec<(f64, Signal)>,
    pub scripts: Vec<(&'static str, String)>,
    /// First argument with which ipvsadm fails.
    pub failing: &'static str,
    pub calls: Vec<&'static str>,
    pub log: Vec<&'static str>,
    pub exit: i32,
    /// What the server gets from the first client.
    pub received: Option<&'static [u8]>,
    /// What a program leaves in the file `noted`.
    pub noted: Option<String>,
}

const LVS: [&str; 11] =
    ["-V", "10.0.0.100", "-M", "m", "--lvs", "-h", "127.0.0.1", "-r", "{RP}", "-p", "5000"];
const ALWAYS: Script = Open(&[(0.0, 1000.0)]);
const XS: &[(f64, &[u8])] = &[(0.0, &[b'x'; 300])];
/// The first 254 bytes agree with [`XS`].
static XS_AND_MORE: LazyLock<String> = LazyLock::new(|| format!("{}yyy", "x".repeat(254)));
/// Up, down from 3.5 to 5.5 seconds.
const GAP: Script = Open(&[(0.0, 3.5), (5.5, 1000.0)]);

fn row(id: &'static str, server: Script, arguments: &[&'static str], seconds: f64) -> Row {
    Row {
        id,
        server,
        base: LVS.to_vec(),
        arguments: arguments.to_vec(),
        seconds,
        signals: Vec::new(),
        scripts: Vec::new(),
        failing: "",
        calls: Vec::new(),
        log: vec!["end term"],
        exit: 0,
        received: None,
        noted: None,
    }
}

impl Row {
    fn calls(mut self, calls: &[&'static str]) -> Self {
        self.calls = calls.to_vec();
        self
    }

    fn log(mut self, log: &[&'static str]) -> Self {
        self.log = log.to_vec();
        self
    }

    /// Up at once and to the end.
    fn up(self) -> Self {
        self.calls(&["0 A 1", "end D"]).log(&["0 active", "end term"])
    }

    fn base(mut self, base: &[&'static str]) -> Self {
        self.base = base.to_vec();
        self
    }

    fn signals(mut self, signals: &[(f64, Signal)]) -> Self {
        self.signals = signals.to_vec();
        self
    }

    fn script(mut self, name: &'static str, text: &str) -> Self {
        self.scripts.push((name, text.to_owned()));
        self
    }

    fn failing(mut self, option: &'static str, exit: i32) -> Self {
        (self.failing, self.exit) = (option, exit);
        self
    }

    fn received(mut self, bytes: &'static [u8]) -> Self {
        self.received = Some(bytes);
        self
    }

    fn noted(mut self, text: &str) -> Self {
        self.noted = Some(text.to_owned());
        self
    }

    /// The arguments of ipvsadm that a short form stands for.
    pub fn call(&self, text: &str) -> String {
        let after = |option: &str| {
            let at = self.arguments.iter().rposition(|word| *word == option);
            at.map(|at| self.arguments[at + 1])
        };
        let selector = match after("-f") {
            Some(mark) => format!("-f {mark}"),
            None if self.arguments.contains(&"-u") => "-u 10.0.0.100:5000".to_owned(),
            None if self.base == LVS => "-t 10.0.0.100:5000".to_owned(),
            None => "-t 10.0.0.100:80".to_owned(),
        };
        let method = match after("-M").unwrap_or("m").trim_start_matches('-').as_bytes()[0] {
            b'g' => "-g",
            b'i' | b't' => "-i",
            _ => "-m",
        };
        match text.split_once(' ') {
            Some((letter, weight)) => {
                format!("-{} {selector} -r {{R}} {method} -w {weight}", letter.to_lowercase())
            }
            None => format!("-d {selector} -r {{R}}"),
        }
    }
}

pub fn rows() -> Vec<Row> {
    [
        connections(),
        replies(),
        patterns(),
        sending(),
        datagrams(),
        programs(),
        weights(),
        orders(),
        failover(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn connections() -> Vec<Row> {
    let hold = &["-t", "1", "-a", "3"];
    vec![
        row("N01 healthy", ALWAYS, &["-t", "2", "-a", "4"], 2.5).up(),
        row("N02 refused", Closed, &["-t", "2", "-a", "4"], 2.5),
        row("N03 connection hangs", Full, &["-t", "1", "-a", "1"], 3.6).log(&[
            "1 CONNECT to {R} timed out",
            "3 CONNECT to {R} timed out",
            "end term",
        ]),
        row("N04 no route", Closed, &["-t", "1", "-h", "127.255.255.255"], 1.5),
        row("N05 gone and back", GAP, hold, 9.5).calls(&["0 A 1", "4 D", "8 A 1", "end D"]).log(&[
            "0 active",
            "4 inactive",
            "8 active",
            "end term",
        ]),
        row("N06 quiesced and back", GAP, &["-t", "1", "-a", "3", "-q"], 9.5)
            .calls(&["0 A 1", "4 E 0", "8 E 1", "end D"])
            .log(&["0 active", "4 inactive", "8 active", "end term"]),
        row("N07 quiesced at the end", Open(&[(0.0, 1.5)]), &["-t", "1", "-a", "3", "-q"], 3.0)
            .calls(&["0 A 1", "2 E 0"])
            .log(&["0 active", "2 inactive", "end term"]),
        row("N08 late", Open(&[(2.5, 1000.0)]), hold, 6.5)
            .calls(&["5 A 1", "end D"])
            .log(&["5 active", "end term"]),
        row("N09 late, short reentry", Open(&[(1.0, 1000.0)]), &["-t", "2", "-a", "1"], 3.5)
            .calls(&["2 A 1", "end D"])
            .log(&["2 active", "end term"]),
        row("N10 late, default reentry", Open(&[(0.5, 1000.0)]), &["-t", "1", "-a", "0"], 5.0),
        row("N20 reset after the connection", Resets, &["-t", "2"], 1.0).up(),
        row("N60 changed: no raw socket", ALWAYS, &["-t", "1", "-a", "1"], 1.5).up(),
    ]
}

fn replies() -> Vec<Row> {
    let http = &["-x", "HTTP", "-t", "1"];
    let short = "1 READ from {R} was too short[2>=4]";
    vec![
        row("N12 web by default", Answers(b"HTTP/1.0 200 OK\r\n"), &["-t", "2"], 1.0)
            .base(&["-V", "10.0.0.100", "--lvs", "-h", "127.0.0.1", "-r", "{RP}"])
            .received(b"GET / HTTP/1.0\r\n\r\n")
            .up(),
        row("N13 expected", Says(&[(0.0, b"HTTP/1.0")]), http, 0.8).up(),
        row("N14 something else", Says(&[(0.0, b"xxHTTP")]), http, 1.5),
        row("N15 changed: half of it", Says(&[(0.0, b"HT")]), http, 3.6).log(&[
            short,
            "3 READ from {R} was too short[2>=4]",
            "end term",
        ]),
        row("N16 changed: in two pieces", Says(&[(0.0, b"HT"), (0.1, b"TP")]), http, 0.8).up(),
        row("N17 closed", Closes, &["-x", "HTTP", "-t", "2"], 1.5)
            .log(&["0 READ from {R} was too short[0>=4]", "end term"]),
        row("N18 changed: * wants something", Closes, &["-x", "*", "-t", "2"], 1.5)
            .log(&["0 READ from {R} was too short[0>=1]", "end term"]),
        row("N18 anything", Says(&[(0.0, b"x")]), &["-x", "*", "-t", "2"], 1.0).up(),
        row("N19 reset", Resets, &["-x", "*", "-t", "2"], 1.5)
            .log(&["0 READ returned error 104:Connection reset by peer", "end term"]),
        row("N21 empty, data", Says(&[(0.0, b"data")]), &["-x", "", "-t", "2"], 1.0).up(),
        row("N21 empty, closed", Closes, &["-x", "", "-t", "2"], 1.0).up(),
        row("N22 empty, silent", ALWAYS, &["-x", "", "-t", "1"], 3.6).log(&[
            "1 READ to {R} timed out",
            "3 READ to {R} timed out",
            "end term",
        ]),
        row("N23 slow", Says(&[(1.2, b"HTTP")]), &["-x", "HTTP", "-t", "2"], 2.5)
            .calls(&["1.2 A 1", "end D"])
            .log(&["1.2 active", "end term"]),
        row("N24 too slow", Says(&[(1.5, b"HTTP")]), http, 3.6).log(&[
            "1 READ to {R} timed out",
            "3 READ to {R} timed out",
            "end term",
        ]),
        row("N25 254 bytes count", Says(XS), &["-x", &XS_AND_MORE, "-t", "2"], 1.0).up(),
    ]
}

fn patterns() -> Vec<Row> {
    const HELLO: Script = Says(&[(0.0, b"220 hello\n")]);
    let regex = |id, server, pattern| row(id, server, &["--regex", "-t", "1", "-x", pattern], 0.8);
    vec![
        regex("N26 matches", HELLO, "^220 (hello|bye)").up(),
        regex("N27 case counts", HELLO, "HELLO"),
        regex("N27 $ is the very end", HELLO, "hello$"),
        regex("N27 . is a newline too", HELLO, "hello.$").up(),
        regex("N28 * is no pattern", HELLO, "*").log(&[
            "0 Error 'Invalid preceding regular expression' processing expected regular expression",
            "end term",
        ]),
        regex("N28 unbalanced", HELLO, "(x")
            .log(&["0 Error 'Unmatched ( or \\(' processing expected regular expression", "end term"]),
        regex("N29 254 bytes count", Says(XS), "x{254}").up(),
        regex("N29 more do not", Says(XS), "x{255}"),
        regex("N32 changed: an escape for the pattern", HELLO, r"^220\shello\.?").up(),
    ]
}

fn sending() -> Vec<Row> {
    let answers = Answers(b"x");
    let send = |id, text| row(id, answers, &["-t", "2", "-s", text, "-x", "x"], 0.8).up();
    vec![
        send("N30 escapes", r"a\\\nb").received(b"a\\\nb"),
        row("N31 no escapes", answers, &["-t", "2", "-s", r"a\nb", "-x", "x", "-T"], 0.8)
            .up()
            .received(br"a\nb"),
        send("N32 changed: unknown escape", r"a\q").received(br"a\q"),
        send("N32 changed: backslash at the end", r"ab\").received(br"ab\"),
    ]
}

fn datagrams() -> Vec<Row> {
    const PONG: Script = Udp(b"pong");
    vec![
        row("N33 answered", PONG, &["-u", "-s", "x", "-x", "po", "-t", "2"], 0.8).up().received(b"x"),
        row("N34 changed: any reply", PONG, &["-u", "-s", "x", "-t", "2"], 0.8).up(),
        row("N35 nothing sent", PONG, &["-u", "-t", "1"], 3.6).log(&[
            "1 READ to {R} timed out",
            "3 READ to {R} timed out",
            "end term",
        ]),
        row("N36 nobody there", UdpClosed, &["-u", "-s", "x", "-x", "y", "-t", "1"], 1.5).log(&[
            "0 READ returned error 111:Connection refused",
            "1 READ returned error 111:Connection refused",
            "end term",
        ]),
        row("N37 firewall mark", PONG, &["-u", "-s", "x", "-x", "po", "-t", "2", "-f", "77"], 0.8).up(),
        row("an empty datagram is something", Udp(b""), &["-u", "-s", "x", "-x", "*", "-t", "2"], 0.8).up(),
    ]
}

fn programs() -> Vec<Row> {
    let program =
        |id, script| row(id, Closed, &["-t", "2", "-x", "OK", "-e", "{DIR}S"], 1.2).script("S", script);
    let trouble = "0 Trouble. Received results are not what we expected from ({R})";
    let abnormal = "0 The following exited abnormally:";
    let nothing = "0 Ran the external sending program to ({R}) but didn't get anything back";
    vec![
        program("N38 OK", "echo OK").up(),
        program("N39 changed: OK without newline", "printf OK").up(),
        program("N39 changed: OKX", "printf OKX").log(&[trouble, "end term"]),
        program("N40 changed: OK, but status 1", "echo OK; exit 1").log(&[abnormal, nothing, "end term"]),
        row("N40 changed: no program", Closed, &["-t", "2", "-x", "OK", "-e", "{DIR}S"], 1.2)
            .log(&[abnormal, nothing, "end term"]),
        row("N41 nothing expected", Closed, &["-t", "2", "-e", "{DIR}S"], 1.2).script("S", "echo OK").log(&[
            "0 Expect string is NULL, but the external sending program returned a non-NULL result",
            "end term",
        ]),
        row(
            "N42 arguments",
            Closed,
            &["-t", "9", "-x", "OK", "-e", "{DIR}S  %h  \"a b\" %p x%h:%p $HOME ;"],
            1.2,
        )
        .script("S", "printf '%s|' \"$@\" > {DIR}noted; echo OK")
        .noted("127.0.0.1|\"a|b\"|{RP}|x%h:%p|$HOME|;|")
        .up(),
        row("N43 changed: too slow", Closed, &["-t", "1", "-x", "OK", "-e", "sleep 6"], 1.6).log(&[
            "1 timeout running the following:",
            "1 Ran the external sending program to ({R}) but didn't get anything back",
            "end term",
        ]),
        row("much output", Closed, &["-t", "5", "-x", "OK", "-e", "{DIR}S"], 1.5)
            .script("S", "head -c 200000 /dev/zero | tr '\\0' x")
            .log(&[trouble, "end term"]),
        row("a grandchild that holds the pipe", Closed, &["-t", "2", "-x", "OK", "-e", "{DIR}S"], 1.2)
            .script("S", "sleep 3 & echo OK")
            .up(),
    ]
}

fn weights() -> Vec<Row> {
    let load = |id, text| {
        let arguments = &["-t", "1", "-a", "19", "-w", "4", "-U", "L"];
        row(id, ALWAYS, arguments, 0.8).script("L", text)
    };
    vec![
        row("N45 slow start", ALWAYS, &["-t", "5", "-a", "15", "-w", "100"], 1.0)
            .calls(&["0 A 3", "0 E 6", "end D"])
            .log(&["0 active", "end term"]),
        row("N46 slow start, long interval", ALWAYS, &["-t", "21", "-w", "64"], 1.0)
            .calls(&["0 A 2", "0 E 4", "end D"])
            .log(&["0 active", "end term"]),
        row("N47 changed: weight 0 drains", ALWAYS, &["-t", "2", "-w", "0"], 1.0)
            .calls(&["0 A 0", "end D"])
            .log(&["0 active", "end term"]),
        load("slow start comes before the load", "echo load average: 0.00,")
            .calls(&["0 A 1", "0 E 2", "end D"])
            .log(&["0 active", "end term"]),
        row("N49 bad load", ALWAYS, &["-t", "1", "-a", "19", "-w", "1", "-U", "L"], 0.8)
            .script("L", "echo no idea")
            .calls(&["0 A 1", "end D"])
            .log(&["0 active", "0 bad load average returned: no idea", "end term"]),
        row("no load", ALWAYS, &["-t", "1", "-a", "19", "-w", "1", "-U", "L"], 0.8)
            .script("L", "exit 1")
            .calls(&["0 A 1", "end D"])
            .log(&[
                "0 active",
                "0 The following exited abnormally:",
                "0 failed to read remote load",
                "end term",
            ]),
        row("N50 rsh", ALWAYS, &["-t", "1", "-a", "19", "-w", "1", "-U", "rsh"], 0.8)
            .script("rsh", "echo \"$@\" > {DIR}noted; echo load average: 1.00, 1, 1")
            .noted("127.0.0.1 uptime\n")
            .up(),
    ]
}

fn orders() -> Vec<Row> {
    let method = |id, method| row(id, ALWAYS, &["-t", "2", "-M", method], 0.8).up();
    vec![
        row("N44 TERM during a program", Closed, &["-t", "9", "-x", "OK", "-e", "{DIR}S"], 1.0)
            .script("S", "echo $$ > {DIR}pid; exec sleep 60")
            .log(&["end term", "end Killing child *"]),
        row("N51 opaque glasses", ALWAYS, &["-t", "1", "-a", "3"], 5.0)
            .signals(&[(1.5, SIGUSR1), (4.0, SIGHUP)])
            .calls(&["0 A 1", "1.5 D", "4 A 1", "end D"])
            .log(&[
                "0 active",
                "1.5 opaque glasses on",
                "4 DEBUG -- removing glasses",
                "4 active",
                "end term",
            ]),
        row("N52 rose-coloured glasses", Closed, &["-t", "1", "-w", "40"], 5.0)
            .signals(&[(1.5, SIGUSR2), (4.0, SIGHUP)])
            .calls(&["1.5 A 40", "4 D"])
            .log(&["1.5 rose-colored glasses on", "4 DEBUG -- removing glasses", "4 inactive", "end term"]),
        row("N53 HUP skips the reentry", Open(&[(1.0, 1000.0)]), &["-t", "2", "-a", "100"], 4.5)
            .signals(&[(3.1, SIGHUP)])
            .calls(&["3.1 A 1", "end D"])
            .log(&["3.1 DEBUG -- removing glasses", "3.1 active", "end term"]),
        row("N54 add fails", ALWAYS, &["-t", "2"], 1.0)
            .failing("-a", 255)
            .calls(&["0 A 1"])
            .log(&["0 active", "0 {I} command failed!"]),
        row("N55 delete fails", ALWAYS, &["-t", "2"], 1.0)
            .failing("-d", 1)
            .calls(&["0 A 1", "end D"])
            .log(&["0 active", "end term", "end {I} command failed!"]),
        row("N56 no run", ALWAYS, &["-t", "2", "--norun"], 1.0).log(&["0 active", "end term"]),
        method("N57 direct", "g"),
        method("N57 direct, with a dash", "-g"),
        method("N57 tunnel", "ipip"),
        method("N57 changed: tunnel as in the manual page", "t"),
    ]
}

fn failover() -> Vec<Row> {
    let base = &["--fos", "-h", "127.0.0.1", "-p", "{RP}"];
    vec![
        row("N58 up, then down", Open(&[(0.0, 1.5)]), &["-t", "1"], 6.0)
            .base(base)
            .log(&["0 Remote service {R} is available", "2 Exiting due to connection failure of {R}"]),
        row("N59 never up", Closed, &["-t", "1"], 6.0).base(base).failing("", 1).log(&[
            "0 No service active & available...",
            "1 Timeout waiting for remote service -- triggering failover!",
        ]),
    ]
}
