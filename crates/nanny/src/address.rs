//! IPv4 addresses as inet_aton(3) reads them: nanny's `-h` has always taken `127.1` and hexadecimal.

use std::net::Ipv4Addr;

/// Reads one to four numbers in C notation, separated by dots. The last fills all the bytes that are left.
pub fn parse(text: &str) -> Option<Ipv4Addr> {
    let mut parts = Vec::new();
    for part in text.split('.') {
        parts.push(number(part)?);
    }
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|&part| part > 255) {
        return None;
    }
    let rest = u64::from(u32::MAX) >> (8 * first.len());
    let high = first.iter().zip([24, 16, 8]).fold(0, |bits, (&part, shift)| bits | part << shift);
    (*last <= rest).then(|| Ipv4Addr::from((high | last) as u32))
}

fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // from_str_radix would take a sign.
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_inet_aton() {
        let cases = [
            ("127.0.0.1", Some([127, 0, 0, 1])),
            ("127.1", Some([127, 0, 0, 1])),
            ("10.1.515", Some([10, 1, 2, 3])),
            ("0x7f000001", Some([127, 0, 0, 1])),
            ("0x7f.0.0.010", Some([127, 0, 0, 8])),
            ("4294967295", Some([255, 255, 255, 255])),
            ("0", Some([0, 0, 0, 0])),
            ("4294967296", None),
            ("256.0.0.1", None),
            ("1.2.3.256", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("1.2.", None),
            ("08.0.0.1", None),
            ("-1", None),
            ("+1", None),
            ("0x", None),
            ("localhost", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected.map(Ipv4Addr::from), "{text}");
        }
    }
}
