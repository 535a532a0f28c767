use super::*;

const TABLE: &[Opt] = &[
    Opt::text("configfile").short('c').help("Configuration file"),
    Opt::flag("nodaemon").short('n').help("Do not run as a daemon"),
    Opt::integer("interval").short('t').help(
        "Seconds between checks, a very long help text that has to be wrapped because it does not fit on a line of eighty columns",
    ),
    Opt::text("expect_string_that_is_rather_long").short('x').help("Expected reply"),
    Opt::flag("regex").help("Expect is a regex"),
    Opt::alias("quiesce-server", "regex"),
    Opt::flag("undocumented").short('u'),
    Opt::flag("version").help("Display version"),
];

fn run(words: &[&str]) -> Result<Values, Stop> {
    let line = std::iter::once("/usr/sbin/t").chain(words.iter().copied()).map(OsString::from);
    Options::new("prog", TABLE).parse(line)
}

/// What the C library popt 1.18 accepts, and what it makes of it: n, t, c.
#[test]
fn accepted_lines() {
    type Case<'a> = (&'a [&'a str], bool, Option<i32>, Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (&["-t", "0x10"], false, Some(16), None),
        (&["-t", "010"], false, Some(8), None),
        (&["-t", "-5"], false, Some(-5), None),
        (&["-t", "+5"], false, Some(5), None),
        (&["-t", " 7"], false, Some(7), None),
        (&["-t", ""], false, Some(0), None),
        (&["-t", "0"], false, Some(0), None),
        (&["-t", "-2147483648"], false, Some(i32::MIN), None),
        (&["-t5", "-t6"], false, Some(6), None),
        (&["--interval=5"], false, Some(5), None),
        (&["--interval", "5"], false, Some(5), None),
        (&["-nt5"], true, Some(5), None),
        (&["-nt=5"], true, Some(5), None),
        (&["-c", "-n"], false, None, Some("-n")),
        (&["-c=", "-n"], true, None, Some("")),
        (&["--configfile=", "-n"], true, None, Some("")),
        (&["-c=x=y"], false, None, Some("x=y")),
        (&["-ncfoo"], true, None, Some("foo")),
        (&["-c--x"], false, None, Some("--x")),
        (&["-c", ""], false, None, Some("")),
        (&["--"], false, None, None),
    ];
    for (words, nodaemon, interval, configfile) in cases {
        let values = run(words).unwrap_or_else(|stop| panic!("{words:?}: {stop:?}"));
        assert_eq!(values.flag("nodaemon"), *nodaemon, "{words:?}");
        assert_eq!(values.integer("interval"), *interval, "{words:?}");
        assert_eq!(values.text("configfile"), configfile.map(OsStr::new), "{words:?}");
    }
    assert!(run(&["--quiesce-server"]).unwrap().flag("regex"));
}

#[test]
fn marks_have_32_bits() {
    let table = [Opt::word("fwmark").short('f')];
    let mark = |text: &str| {
        let line = ["t", "-f", text].map(OsString::from);
        Options::new("prog", &table).parse(line).ok().and_then(|values| values.word("fwmark"))
    };
    for (text, expected) in [("7", 7), ("2147483649", 2_147_483_649), ("-2147483647", 2_147_483_649)] {
        assert_eq!(mark(text), Some(expected));
    }
    assert_eq!(mark("4294967296"), None);
}

/// What popt 1.18 refuses, and the words of it.
#[test]
fn refused_lines() {
    let cases: &[(&[&str], &str)] = &[
        (&["-t", "http"], "bad argument http: invalid numeric value"),
        (&["--interval=http"], "bad argument --interval=http: invalid numeric value"),
        (&["-thttp"], "bad argument -thttp: invalid numeric value"),
        (&["-t=http"], "bad argument -t=http: invalid numeric value"),
        (&["-z"], "bad argument -z: unknown option"),
        (&["-nz"], "bad argument -nz: unknown option"),
        (&["--foo"], "bad argument --foo: unknown option"),
        (&["--foo=3"], "bad argument --foo=3: unknown option"),
        (&["-t"], "bad argument -t: missing argument"),
        (&["-nt"], "bad argument -nt: missing argument"),
        (&["--interval"], "bad argument --interval: missing argument"),
        (&["--regex=3"], "bad argument --regex=3: option does not take an argument"),
        (&["-n=3"], "bad argument -n=3: option does not take an argument"),
        (&["--nodaemon="], "bad argument --nodaemon=: option does not take an argument"),
        (&["-t", "99999999999"], "bad argument 99999999999: number too large or too small"),
        (&["--interval", "2147483648"], "bad argument 2147483648: number too large or too small"),
        (
            &["-t", "99999999999999999999999"],
            "bad argument 99999999999999999999999: number too large or too small",
        ),
        (&["-t", "09"], "bad argument 09: invalid numeric value"),
        (&["-t", "5x"], "bad argument 5x: invalid numeric value"),
        (&["-t", "0x"], "bad argument 0x: invalid numeric value"),
        (&["-t", "7 "], "bad argument 7 : invalid numeric value"),
        (&["-t", "--5"], "bad argument --5: invalid numeric value"),
        (&["--interval", "--help"], "bad argument --help: invalid numeric value"),
        (&["-z", "--help"], "bad argument -z: unknown option"),
        (&["--version", "-z"], "bad argument -z: unknown option"),
        (&["--inter", "5"], "bad argument --inter: unknown option"),
        (&["-interval", "5"], "bad argument -interval: unknown option"),
        (&["-n5"], "bad argument -n5: unknown option"),
        (&["-="], "bad argument -=: unknown option"),
        (&["--=3"], "bad argument --=3: unknown option"),
        (&["x", "-n"], "unexpected arguments"),
        (&["-"], "unexpected arguments"),
        (&["--", "x"], "unexpected arguments"),
        (&[""], "unexpected arguments"),
    ];
    for (words, text) in cases {
        assert_eq!(run(words), Err(Stop::error(format!("prog: {text}"))), "{words:?}");
    }
}

#[test]
fn help_has_the_layout_of_popt() {
    let expected = "\
Usage: t [OPTION...]
  -c, --configfile=STRING                            Configuration file
  -n, --nodaemon                                     Do not run as a daemon
  -t, --interval=INT                                 Seconds between checks, a
                                                     very long help text that
                                                     has to be wrapped because
                                                     it does not fit on a line
                                                     of eighty columns
  -x, --expect_string_that_is_rather_long=STRING     Expected reply
      --regex                                        Expect is a regex
  -u, --undocumented
      --version                                      Display version

Help options:
  -?, --help                                         Show this help message
      --usage                                        Display brief usage
                                                     message
";
    for words in [&["-?"][..], &["--help"], &["-n?"], &["-n", "--help", "-z"]] {
        let stop = run(words).unwrap_err();
        assert_eq!((String::from_utf8(stop.text).unwrap().as_str(), stop.status), (expected, 0));
    }
}

#[test]
fn usage_has_the_layout_of_popt() {
    let expected = "\
Usage: t [-nu?] [-c|--configfile=STRING] [-n|--nodaemon] [-t|--interval=INT]
        [-x|--expect_string_that_is_rather_long=STRING] [--regex]
        [-u|--undocumented] [--version] [-?|--help] [--usage]
";
    let stop = run(&["--usage"]).unwrap_err();
    assert_eq!((String::from_utf8(stop.text).unwrap().as_str(), stop.status), (expected, 0));
}

#[test]
fn version_lines() {
    let block = version_block("1.46");
    let lines: Vec<_> = block.lines().collect();
    assert_eq!(lines[0], "Program Version:\t1.46");
    assert!(lines[1].starts_with("Built:\t\t\t"), "{}", lines[1]);
    assert!(lines[2].starts_with("A component of:\t\tpiranha-"), "{}", lines[2]);
    let dates = [(0, "01/Jan/1970"), (951_782_400, "29/Feb/2000"), (1_735_689_599, "31/Dec/2024")];
    for (seconds, expected) in dates {
        assert_eq!(help::date(seconds), expected);
    }
}
