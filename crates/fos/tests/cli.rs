//! Texts and exit statuses before anything is done.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail as tests do")]

use std::path::PathBuf;
use std::process::Command;

/// Files that go with their test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fos-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exit status, standard output and standard error.
fn fos(words: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fos"));
    let output = command.args(words.split_whitespace()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn mistakes_end_with_status_1_and_one_line() {
    let directory = Directory::new("mistakes");
    let lvs = directory.file("lvs", "service = lvs\n");
    let none = directory.file("none", "service = fos\n");
    let table = [
        ("-x", "fos: bad argument -x: unknown option".to_owned()),
        ("--actively", "fos: bad argument --actively: unknown option".to_owned()),
        ("-F -c", "fos: bad argument -c: missing argument".to_owned()),
        ("-F now", "fos: unexpected arguments".to_owned()),
        ("--version now", "fos: unexpected arguments".to_owned()),
        ("", "fos: Either --monitor (-f) or --active (-F) required!".to_owned()),
        ("-n -c /nowhere", "fos: Either --monitor (-f) or --active (-F) required!".to_owned()),
        ("-f -F", "fos: Cannot specifiy both -f and -F!".to_owned()),
        ("--monitor --active", "fos: Cannot specifiy both -f and -F!".to_owned()),
        ("-F -c /nowhere", "fos: failed to open /nowhere".to_owned()),
        ("-f --configfile=/dev/null", "fos: error parsing /dev/null on line 0.".to_owned()),
        (&format!("-f -c {lvs}"), format!("fos: Service type is not \"fos\" in {lvs}")),
        (&format!("-F -c {none}"), format!("fos: No Failover Services defined in {none}.")),
    ];
    for (words, text) in table {
        let (status, out, error) = fos(words);
        assert_eq!(
            (status, out.as_str(), error.lines().next()),
            (Some(1), "", Some(text.as_str())),
            "fos {words}"
        );
    }
}

#[test]
fn a_line_with_an_error_is_named() {
    let directory = Directory::new("line");
    let path = directory.file("lvs.cf", "service = fos\nfailover web {\nfrobnicate = 1\n}\n");
    let (status, _, error) = fos(&format!("-f -c {path}"));
    assert_eq!(status, Some(1));
    assert_eq!(error.lines().next(), Some(format!("fos: error parsing {path} on line 3.").as_str()));
    assert!(error.contains("frobnicate"), "{error}");
}

#[test]
fn version_and_help_go_to_standard_output() {
    let (status, out, error) = fos("--version");
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.starts_with("Program Version:\tfos 1.13\nBuilt:\t\t\t"), "{out}");
    for word in ["--help", "-?", "--usage"] {
        let (status, out, error) = fos(word);
        assert_eq!((status, error.as_str()), (Some(0), ""));
        for option in
            ["configfile", "nodaemon", "monitor", "active", "verbose", "test-start", "nofork", "version"]
        {
            assert!(out.contains(&format!("--{option}")), "{word}: {out}");
        }
    }
}
