//! Any bytes: no panic, a lossless tree, one verdict, and a written file that means the same.
//!
//! Run from `crates/lvs-cf`: `cargo +nightly fuzz run round_trip fuzz/corpus ../../etc/examples`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lvs_cf::{analyse, parse, write, Colour, Config, NoNames, Style};

fuzz_target!(|source: &[u8]| {
    let analysis = analyse(source, &NoNames);
    assert_eq!(analysis.tree.to_bytes(), source);
    assert_eq!(analysis.config, parse(source, &NoNames));
    for diagnostic in &analysis.diagnostics {
        diagnostic.render("lvs.cf", source, Colour::Always);
    }
    let Ok(config) = analysis.config else { return };
    for style in [Style::Tool, Style::Full] {
        let text = write(&config, style).expect("what was read can be written");
        let again = parse(&text, &NoNames).expect("what was written can be read");
        assert_eq!(without_index(again), without_index(config.clone()));
    }
});

/// The writer sorts blocks by kind, which renumbers them.
fn without_index(mut config: Config) -> Config {
    for service in config.virtuals.iter_mut().chain(&mut config.failovers) {
        service.index = 0;
    }
    config
}
