//! How a command is split into words.

/// Splits a command at spaces, and at nothing else: there is no shell, so quotes, tabs, `$` and `;` are
/// ordinary characters. A word that is exactly `%h` becomes `host`, one that is exactly `%p` becomes `port`.
///
/// Empty for a command of spaces only.
pub fn split_command(command: &[u8], host: &str, port: u16) -> Vec<Vec<u8>> {
    let words = command.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let fill = |word: &[u8]| match word {
        b"%h" => host.as_bytes().to_vec(),
        b"%p" => port.to_string().into_bytes(),
        word => word.to_vec(),
    };
    words.map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let cases: &[(&str, &[&str])] = &[
            ("/bin/check", &["/bin/check"]),
            ("S %h %p", &["S", "10.0.0.1", "80"]),
            (
                "S  %h  \"a b\" %p x%h:%p $HOME ; ",
                &["S", "10.0.0.1", "\"a", "b\"", "80", "x%h:%p", "$HOME", ";"],
            ),
            ("tab\there", &["tab\there"]),
            ("   ", &[]),
            ("", &[]),
        ];
        for (command, expected) in cases {
            let words = split_command(command.as_bytes(), "10.0.0.1", 80);
            let words: Vec<_> = words.iter().map(|word| std::str::from_utf8(word).unwrap()).collect();
            assert_eq!(words, *expected, "{command:?}");
        }
    }
}
