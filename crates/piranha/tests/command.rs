//! The built command, run over the observed cases and the shipped samples.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn piranha(arguments: &[&str]) -> Output {
    piranha_with(arguments, b"")
}

/// Runs the command with some standard input.
fn piranha_with(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_piranha"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Not every run reads its input to the end.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file of this test's own.
fn file(test: &str, content: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The observed cases that do not depend on the machine's names or on CR.
fn cases() -> Vec<Value> {
    let text = include_str!("../../lvs-cf/tests/suite/data/cases.jsonl");
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases.filter(|case| case.get("env").is_none() && !input(case).contains(&b'\r')).collect()
}

fn input(case: &Value) -> Vec<u8> {
    case["input"].as_str().unwrap().as_bytes().to_vec()
}

#[test]
fn check_gives_the_originals_verdict() {
    for case in cases() {
        let path = file("check.cf", &input(&case));
        let output = piranha(&["check", &path]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(stdout.lines().count(), 1, "{}: {stdout}", case["name"]);
        match case.get("error") {
            Some(error) => {
                let reason = error["text"].as_str().unwrap();
                let first = format!("pulse: error parsing {path} at line {}: {reason}", error["line"]);
                assert_eq!(stderr.lines().next(), Some(first.as_str()), "{}", case["name"]);
                assert_eq!(output.status.code(), Some(2), "{}", case["name"]);
            }
            None => {
                let code = if stderr.is_empty() { 0 } else { 1 };
                assert_eq!(output.status.code(), Some(code), "{}: {stderr}", case["name"]);
                assert!(!stderr.contains("pulse: error"), "{}: {stderr}", case["name"]);
            }
        }
    }
}

#[test]
fn show_prints_the_parsed_values() {
    for case in cases() {
        let output = piranha_with(&["show", "--json", "-"], &input(&case));
        let code = if case.get("error").is_some() { 2 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{}", case["name"]);
        if let Some(parsed) = case.get("parsed") {
            let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(shown, *parsed, "{}", case["name"]);
        }
    }
}

/// The JSON is compared as text too: order and layout are part of the interface.
#[test]
fn the_layout_of_the_json() {
    let source = b"primary = 10.0.0.1\nvirtual w {\n address = 10.0.0.80 eth0:1\n server \xe9 {\n }\n}\n";
    let shown = text(&piranha_with(&["show", "--json", "-"], source).stdout);
    let start = "{\n\"serial_no\": 0,\n\"service\": \"lvs\",\n\"primary\": \"10.0.0.1\",\n\"primary_name\": \"10.0.0.1\",\n";
    assert!(shown.starts_with(start), "{shown}");
    let middle = "\"virtual\": [\n{\n\"index\": 0,\n\"name\": \"w\",\n\"active\": 0,\n\"address\": \"10.0.0.80\",\n\"device\": \"eth0:1\",\n";
    assert!(shown.contains(middle), "{shown}");
    let end = "\"dirs\": null,\n\"servers\": [\n{\n\"name\": \"\u{e9}\",\n\"address\": \"0.0.0.0\",\n\"active\": 0,\n\"port\": 80,\n\"weight\": 1\n}\n]\n}\n],\n\"failover\": []\n}\n";
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn what_show_prints_means_the_same() {
    for sample in samples() {
        let sample = sample.to_str().unwrap();
        let shown = piranha(&["show", sample]);
        let again = piranha_with(&["show", "--json", "-"], &shown.stdout);
        assert_eq!(again.stdout, piranha(&["show", "--json", sample]).stdout, "{sample}");
    }
}

/// The sample configuration and the examples.
fn samples() -> Vec<PathBuf> {
    let etc = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../etc");
    let examples = std::fs::read_dir(etc.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let examples = examples.filter(|path| path.extension().is_some_and(|extension| extension == "cf"));
    let samples: Vec<_> = examples.chain([etc.join("lvs.cf")]).collect();
    assert!(samples.len() >= 6, "{samples:?}");
    samples
}

#[test]
fn the_shipped_samples_are_clean() {
    for sample in samples() {
        let output = piranha(&["check", sample.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

#[test]
fn diagnostics_point_at_the_place_without_colours_in_a_pipe() {
    let output = piranha_with(&["check", "-"], b"keepalive = 3\nkeepalve = 4\n");
    let want = "\
pulse: error parsing - at line 2: unknown command
-:2:1: error: unknown command [unknown_command]
    2 | keepalve = 4
      | ^^^^^^^^
      = help: did you mean `keepalive`?
";
    assert_eq!(text(&output.stderr), want);
    assert_eq!(text(&output.stdout), "-: 1 error\n");
}

#[test]
fn a_file_that_pulse_would_refuse_is_a_warning() {
    let output = piranha_with(&["check", "-"], b"service = fos\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no active fos services defined"), "{}", text(&output.stderr));
}

#[test]
fn files_that_cannot_be_used() {
    let missing = piranha(&["check", "/nowhere/lvs.cf"]);
    assert_eq!(missing.status.code(), Some(3));
    assert_eq!(text(&missing.stderr).lines().next(), Some("pulse: failed to open /nowhere/lvs.cf"));
    assert_eq!(piranha(&["show", "/nowhere/lvs.cf"]).status.code(), Some(3));

    let directory = piranha(&["check", "/"]);
    assert_eq!(directory.status.code(), Some(3));
    let want = "pulse: error parsing / at line 0: I/O error while reading configuration\n";
    assert_eq!(text(&directory.stderr), want);

    for arguments in [["check", "/dev/null"], ["check", "-"]] {
        let empty = piranha(&arguments);
        assert_eq!(empty.status.code(), Some(2));
        let want = format!("pulse: error parsing {} at line 0: Empty configuration", arguments[1]);
        assert_eq!(text(&empty.stderr).lines().next(), Some(want.as_str()));
    }
}

#[test]
fn a_wrong_command_line_is_not_a_verdict() {
    for arguments in [&[][..], &["chekc"], &["check", "--json"], &["check", "a", "b"]] {
        assert_eq!(piranha(arguments).status.code(), Some(64), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["-h"], &["--version"], &["check", "-h"], &["show", "--help"]] {
        let output = piranha(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_reason_for_a_message() {
    let farm = file("pipe.cf", "virtual a {\n}\n".repeat(2000).as_bytes());
    let mut child = Command::new(env!("CARGO_BIN_EXE_piranha"))
        .args(["show", &farm])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
}
