//! Verdict, line, kind and values as observed from the original parser.

use crate::cases::{cases, dump, CaseResolver};
use lvs_cf::{analyse, parse};

/// LF line ends, as our rule for CR wants them.
fn with_lf(input: &[u8]) -> Vec<u8> {
    String::from_utf8(input.to_vec()).unwrap().replace("\r\n", "\n").replace('\r', "\n").into_bytes()
}

#[test]
fn verdicts_and_values_are_the_originals() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| !case.input.contains(&b'\r')) {
        let name = &case.name;
        match (parse(&case.input, &CaseResolver), &case.parsed, &case.error) {
            (Ok(config), Some(parsed), _) => assert_eq!(dump(&config), *parsed, "{name}"),
            (Err(error), _, Some(want)) => {
                assert_eq!(error.kind.name(), want["kind"], "{name}");
                assert_eq!(error.line, want["line"].as_u64().unwrap() as u32, "{name}");
                assert_eq!(error.kind.code(), want["code"].as_u64().unwrap() as u32, "{name}");
                assert_eq!(error.to_string(), want["text"], "{name}");
            }
            (got, ..) => panic!("{name}: {got:?}"),
        }
        compared += 1;
    }
    assert_eq!(compared, 279);
}

#[test]
fn a_cr_ends_a_line() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.input.contains(&b'\r')) {
        let got = parse(&case.input, &CaseResolver).map_err(|error| (error.kind, error.line));
        let want = parse(&with_lf(&case.input), &CaseResolver).map_err(|error| (error.kind, error.line));
        assert_eq!(got, want, "{}", case.name);
        let warned = analyse(&case.input, &CaseResolver);
        assert!(warned.diagnostics.iter().any(|found| found.code == "carriage-return"), "{}", case.name);
        compared += 1;
    }
    assert_eq!(compared, 14);
}

#[test]
fn the_analysis_gives_the_same_verdict() {
    for case in cases() {
        let analysis = analyse(&case.input, &CaseResolver);
        assert_eq!(analysis.config, parse(&case.input, &CaseResolver), "{}", case.name);
        assert_eq!(analysis.tree.to_bytes(), case.input, "{}", case.name);
    }
}

/// Where the original crashes or depends on what memory happens to hold.
#[test]
fn undefined_inputs_have_one_meaning() {
    let accepted: &[&[u8]] = &[
        b"virtual a {",
        b"virtual a {\n",
        b"virtual a {\n # only a comment\n\n",
        b"virtual a {\n active = 1\n server s {\n",
        b"virtual a {\r\n active = 1\r\n port = 8080\r\n}\r\n",
        b"virtual a {\n\0garbage\n",
        b"virtual a {\n active = 1\n address = 10.0.0.1 eth0 \"x\n}\n",
    ];
    for input in accepted {
        let config = parse(input, &CaseResolver).unwrap();
        assert_eq!(config.virtuals.len(), 1, "{}", input.escape_ascii());
        assert_eq!(config.virtuals[0].name, "a");
    }
    let refused: &[(&str, &str, u32)] = &[
        ("nat_router =\n", "missing_args", 1),
        ("virtual a {\n address =\n}\n", "missing_args", 2),
        ("virtual a {\n dirs =\n}\n", "list_expected", 2),
        ("virtual a {\n active = 1\n dirs = \"x\n}\n", "list_expected", 3),
        ("debug_level = \"\n", "bad_quoting", 1),
        ("serial_no = '\n", "bad_quoting", 1),
        ("\"\n", "bad_quoting", 1),
    ];
    for (input, kind, line) in refused {
        let error = parse(input.as_bytes(), &CaseResolver).unwrap_err();
        assert_eq!((error.kind.name(), error.line), (*kind, *line), "{input}");
    }
}

#[test]
fn a_nul_ends_the_file() {
    for (input, serial_no) in [
        ("serial_no = 4\0\nkeepalive = 3\n", 4),
        ("# a\0b\nkeepalive = 3\n", 0),
        ("   \0\nserial_no = 1\n", 0),
        ("\0", 0),
    ] {
        let analysis = analyse(input.as_bytes(), &CaseResolver);
        let config = analysis.config.unwrap();
        assert_eq!((config.serial_no, config.keepalive), (serial_no, 2), "{input:?}");
        assert!(analysis.diagnostics.iter().any(|found| found.code == "nul-byte"), "{input:?}");
    }
}
