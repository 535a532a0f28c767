//! Each warning: the smallest file that has it, and where it points.

use crate::cases::CaseResolver;
use lvs_cf::analyse;

/// A file without a single warning; the rows below change a line of it.
const CLEAN: &str = "\
primary = 10.0.0.1
backup = 10.0.0.2
backup_active = 1
keepalive = 6
deadtime = 18
network = direct
virtual web {
 active = 1
 address = 10.0.0.80 eth0:1
 vip_nmask = 255.255.255.0
 port = 80
 send = \"GET / HTTP/1.0\\r\\n\\r\\n\"
 expect = \"HTTP\"
 server a {
  address = 10.0.1.1
  active = 1
 }
 server b {
  address = 10.0.1.2
  active = 1
 }
}
";

/// The warnings of a file, as `line code`.
fn warnings(source: &str) -> Vec<String> {
    let analysis = analyse(source.as_bytes(), &CaseResolver);
    assert!(analysis.config.is_ok(), "{source}: {:?}", analysis.config);
    analysis.diagnostics.iter().map(|found| format!("{} {}", found.line, found.code)).collect()
}

#[test]
fn a_clean_file_has_no_warning() {
    assert_eq!(warnings(CLEAN), [""; 0]);
}

/// A line of the clean file, what stands there instead, and the warnings.
#[rustfmt::skip]
const ROWS: &[(&str, &str, &[&str])] = &[
    // Outside the blocks.
    ("deadtime = 18", "deadtime = 11", &["5 deadtime-too-short"]),
    ("deadtime = 18", "deadtime = 0", &["5 out-of-range"]),
    ("keepalive = 6", "keepalive = -6", &["4 out-of-range"]),
    ("keepalive = 6", "heartbeat_port = 70000", &["4 out-of-range"]),
    ("keepalive = 6", "keepalive = 06", &[]),
    ("keepalive = 6", "keepalive = 010", &["4 octal-number"]),
    ("keepalive = 6", "keepalive = 4294967302", &["4 number-too-big"]),
    ("keepalive = 6", "serial_no = \"\"", &["4 empty-number"]),
    ("keepalive = 6", "deadtime = 20", &["5 duplicate-key"]),
    ("keepalive = 6", "syncd_id = 300", &["4 out-of-range"]),
    ("keepalive = 6", "heartbeat = 0", &["4 heartbeat-ignored"]),
    ("keepalive = 6", "active_cmd = vip-up", &["4 command-without-path"]),
    ("keepalive = 6", "primary_shared = /dev/sdq", &["4 no-shared-disk"]),
    ("keepalive = 6", "reservation_conflict_action = nothing", &["4 no-shared-disk"]),
    ("keepalive = 6", "nat_router = 10.0.1.254 eth1:1", &["4 nat-router-unused"]),
    ("keepalive = 6", "nat_nmask = 255.0.255.0", &["4 mask-not-contiguous"]),
    ("keepalive = 6", "backup_private = 10.9.0.2", &["4 private-link-lost"]),
    ("keepalive = 6", "primary_private = 10.9.0.1", &["4 private-link-lost"]),
    ("primary = 10.0.0.1", "", &["3 no-primary"]),
    ("primary = 10.0.0.1", "primary = 10.1", &["1 unusual-address"]),
    ("primary = 10.0.0.1", "primary = \"10.0.0.1 and more\"", &["1 text-lost"]),
    ("backup = 10.0.0.2", "", &["3 no-backup"]),
    ("backup = 10.0.0.2", "backup = 0.0.0.0", &["3 no-backup"]),
    ("backup = 10.0.0.2", "backup = 10.0.0.1", &["2 same-director"]),
    ("network = direct", "service = fos", &["0 no-active-service", "7 service-not-selected"]),
    // Services.
    (" active = 1\n address", " active = 0\n address", &["0 no-active-service"]),
    (" address = 10.0.0.80 eth0:1", "", &["7 no-address"]),
    (" address = 10.0.0.80 eth0:1", " address = 0.0.0.0 eth0:1", &["9 no-address"]),
    ("80 eth0:1", "80 eth0", &["9 device-without-alias"]),
    ("80 eth0:1", "80 a-very-long-device:1", &["9 device-too-long"]),
    ("vip_nmask = 255.255.255.0", "vip_nmask = 255.0.255.0", &["10 mask-not-contiguous"]),
    ("vip_nmask = 255.255.255.0", "vip_nmask = 24", &["10 unusual-address", "10 mask-not-contiguous"]),
    ("vip_nmask = 255.255.255.0", "fwmark = 8", &["10 fwmark-without-persistence"]),
    ("vip_nmask = 255.255.255.0", "fwmark = 4294967295\n persistent = 60", &["10 out-of-range"]),
    ("vip_nmask = 255.255.255.0", "pmask = garbage", &["10 ignored-value"]),
    ("vip_nmask = 255.255.255.0", "pmask = 255.255.255.0", &["10 pmask-without-persistence"]),
    ("vip_nmask = 255.255.255.0", "persistent = -600", &["10 out-of-range"]),
    ("vip_nmask = 255.255.255.0", "timeout = 0", &["10 out-of-range"]),
    ("vip_nmask = 255.255.255.0", "reentry = 0", &["10 out-of-range"]),
    ("vip_nmask = 255.255.255.0", "dirs = [ /a ] junk", &["10 text-after-bracket"]),
    ("vip_nmask = 255.255.255.0", "timeout = 6 \"lost", &["10 text-lost"]),
    ("port = 80", "port = 0", &["11 out-of-range"]),
    ("port = 80", "protocol = udp", &[]),
    ("send = \"GET / HTTP/1.0\\r\\n\\r\\n\"", "protocol = udp", &["12 udp-without-send"]),
    ("\\r\\n\\r\\n\"", "\\x41 and more\"", &["12 unknown-escape"]),
    ("\\r\\n\\r\\n\"", "\\\"", &["12 unknown-escape"]),
    (" send = ", " send_program = \"/opt/probe %h\"\n send = ", &["13 send-ignored"]),
    ("expect = \"HTTP\"", "send_program = \"/opt/probe\"", &["12 send-ignored", "13 program-without-expect"]),
    ("expect = \"HTTP\"", "expect = 'HTTP'", &["13 single-quotes"]),
    ("expect = \"HTTP\"", "use_regex = 1\n send_program = /x\n expect = y", &["12 send-ignored", "13 regex-ignored"]),
    ("expect = \"HTTP\"", "stop_cmd = halt", &["13 command-without-path"]),
    (" send = \"GET / HTTP/1.0\\r\\n\\r\\n\"", " send_program = probe", &["12 command-without-path"]),
    // Real servers.
    ("  active = 1\n }\n}", "  active = 0\n }\n}", &["7 single-server"]),
    ("10.0.1.2", "10.0.1.1", &["19 duplicate-server"]),
    ("  address = 10.0.1.2\n", "", &["18 no-address"]),
    ("  address = 10.0.1.2", "  address = 10.0.1.2\n  port = 8080", &["20 port-not-translated"]),
    ("  address = 10.0.1.2", "  address = 10.0.1.2\n  weight = -1", &["20 out-of-range"]),
    ("  address = 10.0.1.2", "  address = 10.0.1.2\n  weight = 65536", &["20 out-of-range"]),
    ("server b {", "server a {", &["18 duplicate-name"]),
    ("server b {", "server A {", &["18 similar-name"]),
    // Blocks.
    (" }\n}\n", " }\n", &["7 missing-brace"]),
    (" }\n}\n", " }\n} # web\n", &["22 text-after-brace"]),
    (" }\n}\n", " }\n \"oops\n", &["7 missing-brace", "22 text-lost"]),
];

#[test]
fn each_warning_points_at_its_cause() {
    for (old, new, want) in ROWS {
        assert_eq!(CLEAN.matches(old).count().min(1), 1, "{old:?} stands in the clean file");
        let at = CLEAN.rfind(old).unwrap();
        let source = CLEAN[..at].to_owned() + new + &CLEAN[at + old.len()..];
        assert_eq!(warnings(&source), *want, "{new}");
    }
}

/// Of all programs only a check is searched for, and that only without any slash.
#[test]
fn where_a_command_without_path_is_looked_for() {
    let searched = "it is searched for in the PATH of pulse";
    let taken = "no shell and no search path";
    let rows = [
        ("send_program = \"probe /x\"", searched),
        ("send_program = \"bin/probe\"", taken),
        ("start_cmd = \"probe\"", taken),
        ("stop_cmd = \"probe\"", taken),
    ];
    for (line, what) in rows {
        let source = CLEAN.replace("send = \"GET / HTTP/1.0\\r\\n\\r\\n\"", line);
        let found = analyse(source.as_bytes(), &CaseResolver).diagnostics;
        let texts: Vec<_> = found.iter().map(|found| found.message.as_str()).collect();
        assert!(matches!(texts[..], [text] if text.contains(what)), "{line}: {texts:?}");
    }
}

#[test]
fn warnings_about_several_blocks() {
    let twin = "virtual mail {\n active = 1\n address = 10.0.0.80 eth0:2\n SERVERS}\n";
    let servers = " server c {\n  address = 10.0.1.3\n  active = 1\n }\n server d {\n  address = 10.0.1.4\n  active = 1\n }\n";
    let twin = twin.replace(" SERVERS", servers);
    let source = CLEAN.to_owned() + &twin;
    assert_eq!(
        warnings(&source),
        ["23 address-with-two-masks", "25 duplicate-service", "25 address-on-two-devices"]
    );
    let source = CLEAN.to_owned()
        + &twin.replace("eth0:2", "eth0:1\n vip_nmask = 255.255.255.0\n protocol = udp\n send = x");
    assert_eq!(warnings(&source), [""; 0]);
    let source = CLEAN.to_owned() + "virtual WEB {\n}\n";
    assert_eq!(warnings(&source), ["23 similar-name"]);
}

#[test]
fn services_without_real_servers() {
    let lonely = "virtual a {\n active = 1\n address = 10.0.0.80 eth0:1\n}\n";
    assert_eq!(warnings(lonely), ["1 no-servers"]);
    let sorry = lonely.replace("}", " sorry_server = 10.0.0.9\n}");
    assert_eq!(warnings(&sorry), ["4 sorry-without-servers"]);
}

#[test]
fn a_port_below_its_servers() {
    let source = CLEAN.replace("network = direct\n", "").replace(" port = 80\n", "");
    let source = source.replace(" }\n}\n", " }\n port = 8080\n}\n");
    assert_eq!(warnings(&source), ["12 port-below-server", "16 port-below-server"]);
}

#[test]
fn failover_services() {
    let source =
        "service = fos\nfailover f {\n active = 1\n address = 10.0.0.80 eth0:1\n server s {\n }\n}\n";
    assert_eq!(warnings(source), ["2 no-command", "2 no-command", "5 server-ignored"]);
}

#[test]
fn texts_that_are_too_long() {
    let source = CLEAN.replace("HTTP\"", &"x".repeat(256)).replace("xx\n", "xx\"\n");
    assert_eq!(warnings(&source), ["13 long-text"]);
}

/// The analysis names every mistake once.
#[test]
fn an_error_does_not_cascade() {
    let source = "virtual a { # web\n active = yes\n server s\n  wieght = 1\n }\n}\nvirtual b {\n port = 1\nvirtual c {\n}\nkeepalive = 1 2\n";
    let analysis = analyse(source.as_bytes(), &CaseResolver);
    let found: Vec<_> =
        analysis.diagnostics.iter().map(|found| format!("{} {}", found.line, found.code)).collect();
    assert_eq!(
        found,
        [
            "1 extra_args",
            "2 int_expected",
            "3 missing_args",
            "4 unknown_command",
            "7 missing-brace",
            "9 unknown_command",
            "11 extra_args"
        ]
    );
    assert_eq!(analysis.config.unwrap_err().line, 1);
}
