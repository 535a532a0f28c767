//! Big files.

use crate::cases::CaseResolver;
use lvs_cf::{analyse, parse, write, Style};

// miri is a thousand times slower.
const SERVICES: usize = if cfg!(miri) { 2 } else { 100 };
const SERVERS: usize = if cfg!(miri) { 10 } else { 1000 };
const LINES: usize = if cfg!(miri) { 20 } else { 20_000 };

/// A hundred virtual services with a thousand real servers each.
fn farm() -> Vec<u8> {
    let mut text = String::from("primary = 10.0.0.1\n");
    for service in 0..SERVICES {
        text += &format!("virtual v{service} {{\n active = 1\n address = 10.1.0.{service} eth0:{service}\n");
        for server in 0..SERVERS {
            let (high, low) = (server / 250, server % 250);
            text += &format!(
                " server s{server} {{\n  address = 10.2.{high}.{low}\n  active = 1\n  weight = 1\n }}\n"
            );
        }
        text += "}\n";
    }
    text.into_bytes()
}

#[test]
fn a_hundred_thousand_real_servers() {
    let source = farm();
    let config = parse(&source, &CaseResolver).unwrap();
    assert_eq!(
        config.virtuals.iter().map(|service| service.servers.len()).sum::<usize>(),
        SERVICES * SERVERS
    );
    let written = write(&config, Style::Tool).unwrap();
    assert_eq!(parse(&written, &CaseResolver).as_ref(), Ok(&config));
    let analysis = analyse(&source, &CaseResolver);
    assert_eq!(analysis.tree.to_bytes(), source);
    assert_eq!(analysis.config, Ok(config));
}

/// Shapes that invite quadratic behaviour; a second pass over the file per line would take minutes.
#[test]
fn awkward_shapes_stay_linear() {
    let many = LINES;
    let shapes = [
        "\n".repeat(many * 5),
        "\r".repeat(many),
        "serial_no = 1\n".repeat(many),
        "nonsense\n".repeat(many),
        "virtual a {\n".repeat(many),
        "virtual a {\n}\nfailover a {\n}\n".repeat(many),
        format!("virtual a {{\n{}", " server s {\n }\n".repeat(many)),
        "x".repeat(many * 10),
        "x ".repeat(many * 5),
        format!("debug_level = \"{}\n", "a \"".repeat(many)),
        "'".repeat(many),
    ];
    for shape in shapes {
        let analysis = analyse(shape.as_bytes(), &CaseResolver);
        assert_eq!(analysis.tree.to_bytes(), shape.as_bytes());
    }
}
