//! The writer's layout.

use crate::cases::{cases, CaseResolver};
use lvs_cf::{parse, write, Config, Style, Text, Virtual};

/// A file that the configuration tool wrote, with every key that the tool always writes.
#[test]
fn the_tools_own_file_comes_out_as_it_went_in() {
    let case = cases().into_iter().find(|case| case.name == "gui-fresh-virtual").unwrap();
    let config = parse(&case.input, &CaseResolver).unwrap();
    let written = String::from_utf8(write(&config, Style::Tool).unwrap()).unwrap();
    let expected = String::from_utf8(case.input).unwrap();
    // The one difference: a switch at its default is left out.
    assert_eq!(written, expected.replace("     use_regex = 0\n", ""));
}

#[test]
fn failover_blocks_come_first_and_keep_what_the_tool_loses() {
    let source = b"hard_shutdown = 0\nsyncd_iface = eth2\nipvsadm = /usr/sbin/ipvsadm\nudp_timeout = 120\n\
        virtual v {\n client_monitor = /opt/check\n dirs = [ /a /b ]\n server s {\n port = 81\n }\n}\n\
        failover f {\n scheduler = rr\n server t {\n address = 10.0.0.1\n }\n}\n";
    let written = write(&parse(source, &CaseResolver).unwrap(), Style::Tool).unwrap();
    let want = "\
serial_no = 0
service = lvs
backup_active = 0
heartbeat = 0
heartbeat_port = 539
keepalive = 2
deadtime = 5
network = nat
debug_level = NONE
syncd_iface = eth2
udp_timeout = 120
hard_shutdown = 0
ipvsadm = /usr/sbin/ipvsadm
failover f {
     active = 0
     port = 80
     timeout = 10
     scheduler = rr
     server t {
         address = 10.0.0.1
         active = 0
         weight = 1
     }
}
virtual v {
     active = 0
     port = 80
     scheduler = wlc
     protocol = tcp
     timeout = 10
     reentry = 180
     quiesce_server = 0
     client_monitor = /opt/check
     dirs = [ /a /b ]
     server s {
         address = 0.0.0.0
         active = 0
         port = 81
         weight = 1
     }
}
";
    assert_eq!(String::from_utf8(written).unwrap(), want);
}

#[test]
fn long_lines_are_not_cut() {
    let command = format!("/opt/{}", "x".repeat(500));
    let config = Config { active_cmd: Some(command.as_str().into()), ..Config::default() };
    let written = write(&config, Style::Tool).unwrap();
    assert_eq!(parse(&written, &CaseResolver).unwrap().active_cmd, config.active_cmd);
}

#[test]
fn a_mask_of_all_ones_stays_a_mask() {
    let source = b"virtual a {\n pmask = 0xffffffff\n}\n";
    let config = parse(source, &CaseResolver).unwrap();
    let written = write(&config, Style::Full).unwrap();
    assert_eq!(parse(&written, &CaseResolver), Ok(config));
}

#[test]
fn what_has_no_spelling_is_refused() {
    let texts: [Text; 3] = ["two\nlines".into(), "a \"b\" 'c'".into(), "nul\0".into()];
    for text in texts {
        let config = Config { active_cmd: Some(text.clone()), ..Config::default() };
        assert!(write(&config, Style::Tool).is_err(), "{text:?}");
    }
    for name in ["", "\"quoted\""] {
        let config = Config { virtuals: vec![Virtual::new(name.into())], ..Config::default() };
        assert!(write(&config, Style::Tool).is_err(), "{name:?}");
    }
    let unquoted = Virtual { send: Some("two words".into()), ..Virtual::new("a".into()) };
    let config = Config { virtuals: vec![unquoted], ..Config::default() };
    assert!(write(&config, Style::Tool).is_err());
}
