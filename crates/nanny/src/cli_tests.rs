use super::*;

fn run(line: &str) -> Result<Config, Stop> {
    parse(std::iter::once("nanny").chain(line.split_whitespace()).map(OsString::from))
}

fn good(line: &str) -> Config {
    run(&format!("--lvs -h 10.0.0.2 {line}")).unwrap_or_else(|stop| panic!("{line}: {stop:?}"))
}

#[test]
fn refused_lines() {
    let cases = [
        ("-z", "nanny: bad argument -z: unknown option\n"),
        ("-p http", "nanny: bad argument http: invalid numeric value\n"),
        ("--lvs -h 10.0.0.2 stray", "nanny: unexpected arguments\n"),
        ("--lvs", "nanny: No address supplied. Use '--help' for help. \n"),
        ("-h 10.0.0.256", "nanny: bad IP address -- 10.0.0.256\n"),
        ("-h real1 --lvs", "nanny: bad IP address -- real1\n"),
        ("-h 10.0.0.2", "nanny: unknown service type\n"),
        ("-h 10.0.0.2 --lvs -t 0", "nanny: bad interval -- 0\n"),
        ("-h 10.0.0.2 --lvs -t -5", "nanny: bad interval -- -5\n"),
        ("-h 10.0.0.2 --lvs -r 65536", "nanny: bad rport -- 65536\n"),
        ("-h 10.0.0.2 --lvs -p 65536", "nanny: bad port -- 65536\n"),
        ("-h 10.0.0.2 --lvs -p 65536 -r 80", "nanny: bad port -- 65536\n"),
        ("-h 10.0.0.2 --lvs -p -1 -f 7", "nanny: bad port -- -1\n"),
        ("-h 10.0.0.2 --fos -p -1", "nanny: bad port -- -1\n"),
        ("-R x", "nanny: bad argument -R: unknown option\n"),
    ];
    for (line, text) in cases {
        let stop = run(line).unwrap_err();
        assert_eq!((String::from_utf8(stop.text).unwrap().as_str(), stop.status), (text, 1), "{line}");
    }
}

#[test]
fn version_and_help_succeed() {
    let version = run("--version").unwrap_err();
    assert!(version.text.starts_with(b"Program Version:\tnanny 1.46\n"));
    assert_eq!(version.status, 0);
    let help = run("--help").unwrap_err();
    assert!(help.text.starts_with(b"Usage: nanny [OPTION...]\n  -t, --interval=INT"));
    assert_eq!(help.status, 0);
    assert!(!String::from_utf8(help.text).unwrap().contains("quiesce-server"), "aliases stay hidden");
}

#[test]
fn defaults() {
    let config = good("");
    assert_eq!((config.interval, config.reentry, config.weight, config.scale), (10, 180, 1, 10));
    assert_eq!((config.virtual_port, config.server.port), (80, 80));
    assert_eq!((config.virtual_text.as_str(), config.ipvsadm.as_os_str()), ("(null)", IPVSADM.as_ref()));
    assert_eq!((config.forwarding, config.detachment), (Forwarding::Masquerade, Detachment::Daemon));
    assert_eq!((config.load_command, config.mark), (None, 0));
}

#[test]
fn both_spellings_are_taken() {
    for line in ["-q -u -s S -x X", "--quiesce-server --UDP --send_str S --expect_str X"] {
        let config = good(line);
        assert!(config.quiesce && config.service.udp, "{line}");
        assert_eq!(config.service.send.as_deref(), Some(&b"S"[..]), "{line}");
        assert_eq!(config.service.expect.as_deref(), Some(&b"X"[..]), "{line}");
    }
}

#[test]
fn values() {
    assert_eq!(good("-p 5000").server.port, 5000);
    assert_eq!(good("-p 5000 -r 80").server.port, 80);
    // As in the original, where neither the check nor the service is named by this port.
    assert_eq!(good("-p -1 -r 80 -f 7").virtual_port, -1);
    assert_eq!(good("-p 65536 -r 80 --fos").virtual_port, 65536);
    assert_eq!(good("-a 0").reentry, 180);
    assert_eq!(good("-a 0 --fos -t 7").reentry, 7);
    assert!(good("--fos --lvs").failover);
    assert_eq!(good("-w 0").weight, 0);
    assert_eq!(good("-w -3").weight, 1);
    assert_eq!(good("-U none").load_command, None);
    assert_eq!(good("-U rup").load_command.as_deref(), Some(&b"rup"[..]));
    assert_eq!(good("-n -c").detachment, Detachment::Foreground);
    assert_eq!(good("-c").detachment, Detachment::InPlace);
    assert!(good("--test-start").dry_run && good("--norun").dry_run);
    for (method, forwarding) in [
        ("m", Forwarding::Masquerade),
        ("-m", Forwarding::Masquerade),
        ("g", Forwarding::Direct),
        ("-g", Forwarding::Direct),
        ("ipip", Forwarding::Tunnel),
        ("t", Forwarding::Tunnel),
        ("other", Forwarding::Masquerade),
    ] {
        assert_eq!(good(&format!("-M {method}")).forwarding, forwarding, "{method}");
    }
}

#[test]
fn services() {
    let web = good("-r 8080").service;
    assert!(web.assumed);
    assert_eq!(web.send.as_deref(), Some(&b"GET / HTTP/1.0\r\n\r\n"[..]));
    assert_eq!(web.expect.as_deref(), Some(&b"HTTP"[..]));
    assert!(!good("-p 81").service.assumed);
    assert!(!good("-x *").service.assumed);

    let program = good(r"-e /bin/check -s lost -x a\tb").service;
    assert!(program.send_ignored && program.send.is_none());
    assert_eq!(program.expect.as_deref(), Some(&b"a\tb"[..]));
    assert_eq!(good(r"-s a\nb -T").service.send.as_deref(), Some(&br"a\nb"[..]));
    assert_eq!(good(r"-s a\q").service.send.as_deref(), Some(&br"a\q"[..]));
}

#[test]
fn the_manual_page_has_every_option() {
    let manual = include_str!("../../../man/nanny.8").replace("\\&", "");
    let help = String::from_utf8(run("--help").unwrap_err().text).unwrap();
    let words = help.split([' ', '=', ',', '\n']).filter(|word| word.starts_with('-') && word.len() > 1);
    let aliases = ["--quiesce-server", "--UDP", "--send_str", "--expect_str"];
    for word in words.chain(aliases) {
        let entry = match word.strip_prefix("--") {
            Some(long) => format!("Fl Fl {long}"),
            None => format!("Fl {}", &word[1..]),
        };
        let listed = manual.lines().any(|line| line.split(" , ").any(|part| part.contains(&entry)));
        assert!(listed, "{word}");
    }
}
