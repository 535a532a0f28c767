//! What holds for any bytes, and for any file that loads.

use crate::cases::CaseResolver;
use crate::generate::{noise, plausible};
use lvs_cf::{analyse, parse, write, Colour, Config, Style, Tree};
use proptest::prelude::*;

/// The writer sorts blocks by kind, which renumbers them.
fn without_index(mut config: Config) -> Config {
    for service in config.virtuals.iter_mut().chain(&mut config.failovers) {
        service.index = 0;
    }
    config
}

fn holds_for_any_bytes(source: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_eq!(Tree::parse(source).to_bytes(), source);
    let analysis = analyse(source, &CaseResolver);
    prop_assert_eq!(&analysis.config, &parse(source, &CaseResolver));
    for diagnostic in &analysis.diagnostics {
        let text = diagnostic.render("lvs.cf", source, Colour::Never);
        prop_assert!(text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')), "{text:?}");
    }
    let has_error = analysis.diagnostics.iter().any(|found| found.severity == lvs_cf::Severity::Error);
    prop_assert_eq!(has_error, analysis.config.is_err());
    Ok(())
}

fn written_file_means_the_same(source: &[u8]) -> Result<(), TestCaseError> {
    let Ok(config) = parse(source, &CaseResolver) else { return Ok(()) };
    for style in [Style::Tool, Style::Full] {
        let text = write(&config, style).expect("what was read can be written");
        let again = parse(&text, &CaseResolver);
        let again =
            again.map_err(|error| TestCaseError::fail(format!("{error:?}\n{}", text.escape_ascii())))?;
        prop_assert_eq!(without_index(again), without_index(config.clone()));
    }
    Ok(())
}

/// Setting a key changes that key only, and no other line.
fn an_edit_is_local(source: &[u8]) -> Result<(), TestCaseError> {
    let Ok(mut want) = parse(source, &CaseResolver) else { return Ok(()) };
    let mut tree = Tree::parse(source);
    tree.root_mut().set("keepalive", &["77"]).expect("a number can be written");
    want.keepalive = 77;
    for block in tree.root_mut().blocks_mut() {
        block.set("send", &["a b\\n"]).expect("a string can be written");
    }
    for service in want.virtuals.iter_mut().chain(&mut want.failovers) {
        service.send = Some("\"a b\\n\"".into());
    }
    let edited = tree.to_bytes();
    prop_assert_eq!(parse(&edited, &CaseResolver), Ok(want), "{}", edited.escape_ascii());
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let kept =
            |line: &&[u8]| !line.is_empty() && !contains(line, b"keepalive") && !contains(line, b"send");
        bytes.split(|byte| matches!(byte, b'\n' | b'\r')).filter(kept).map(<[u8]>::to_vec).collect()
    };
    prop_assert_eq!(lines(&edited), lines(source));
    Ok(())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// miri is a thousand times slower.
const CASES: u32 = if cfg!(miri) { 8 } else { 1000 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(source in prop::collection::vec(any::<u8>(), 0..200)) {
        holds_for_any_bytes(&source)?;
    }

    #[test]
    fn noise_of_the_language(source in noise()) {
        holds_for_any_bytes(&source)?;
        written_file_means_the_same(&source)?;
    }

    #[test]
    fn plausible_files(source in plausible()) {
        holds_for_any_bytes(&source)?;
        written_file_means_the_same(&source)?;
        an_edit_is_local(&source)?;
    }
}

#[test]
fn the_cases_survive_a_round_trip() {
    for case in crate::cases::cases() {
        holds_for_any_bytes(&case.input).expect(&case.name);
        written_file_means_the_same(&case.input).expect(&case.name);
        an_edit_is_local(&case.input).expect(&case.name);
    }
}
