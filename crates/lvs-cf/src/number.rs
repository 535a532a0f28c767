//! Integers and addresses as the C library reads them.

use std::net::Ipv4Addr;

/// White space in the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Reads an integer as `strtol` with base 0 does, and then cuts it to 32 bits.
///
/// Leading white space and a sign are allowed, `0x` means hexadecimal, a leading `0` octal, and the empty
/// string is 0. Anything left over is `None`. A value beyond 64 bits saturates before it is cut, so that
/// `99999999999999999999` is -1, as in the original.
pub fn parse_int(text: &[u8]) -> Option<i32> {
    parse_long(text).map(|wide| wide as i32)
}

/// [`parse_int`] before the cut to 32 bits.
pub(crate) fn parse_long(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (magnitude, used) = unsigned(digits)?;
    if used != digits.len() {
        return None;
    }
    Some(match i64::try_from(magnitude) {
        Ok(value) if negative => -value,
        Ok(value) => value,
        Err(_) if negative => i64::MIN,
        Err(_) => i64::MAX,
    })
}

/// Reads digits as `strtoul` with base 0 does: the value (saturating) and the number of bytes used.
fn unsigned(text: &[u8]) -> Option<(u64, usize)> {
    let (radix, skip) = match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, 2),
        [b'0', ..] => (8, 0),
        _ => (10, 0),
    };
    let mut value = 0u64;
    let mut used = skip;
    while let Some(digit) = text.get(used).and_then(|byte| char::from(*byte).to_digit(radix)) {
        value = value.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit));
        used += 1;
    }
    (used > skip).then_some((value, used))
}

/// Reads an IPv4 address as `inet_aton` does.
///
/// One to four parts, each decimal, octal or hexadecimal; the last part fills the bytes that remain, so
/// `10.1` is 10.0.0.1 and `24` is 0.0.0.24. Text after white space is ignored.
pub fn inet_aton(text: &[u8]) -> Option<Ipv4Addr> {
    let mut rest = text;
    let mut leading = 0u32;
    let mut parts = 0u32;
    loop {
        if !rest.first()?.is_ascii_digit() {
            return None;
        }
        let (value, used) = unsigned(rest)?;
        rest = &rest[used..];
        match rest.first() {
            Some(b'.') => {
                if parts == 3 || value > 0xff {
                    return None;
                }
                leading |= (value as u32) << (24 - 8 * parts);
                parts += 1;
                rest = &rest[1..];
            }
            Some(byte) if !is_space(*byte) => return None,
            _ => {
                let limit = 0xffff_ffffu64 >> (8 * parts);
                return (value <= limit).then(|| Ipv4Addr::from(leading | value as u32));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_strtol_reads_them() {
        let table: &[(&str, Option<i32>)] = &[
            ("", Some(0)),
            ("4", Some(4)),
            (" \t\x0b4", Some(4)),
            ("+4", Some(4)),
            ("-4", Some(-4)),
            ("0x1F", Some(31)),
            ("-0X10", Some(-16)),
            ("017", Some(15)),
            ("0", Some(0)),
            ("-0", Some(0)),
            ("08", None),
            ("0x", None),
            ("0xg", None),
            ("0b101", None),
            ("-", None),
            (" ", None),
            ("- 4", None),
            ("--4", None),
            ("4 ", None),
            ("1.5", None),
            ("2147483648", Some(i32::MIN)),
            ("4294967301", Some(5)),
            ("-4294967295", Some(1)),
            ("9223372036854775807", Some(-1)),
            ("9223372036854775808", Some(-1)),
            ("-9223372036854775808", Some(0)),
            ("99999999999999999999", Some(-1)),
            ("-99999999999999999999", Some(0)),
            ("0xffffffffffffffffffff", Some(-1)),
        ];
        for (text, want) in table {
            assert_eq!(parse_int(text.as_bytes()), *want, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_read_as_inet_aton_reads_them() {
        let table: &[(&str, Option<[u8; 4]>)] = &[
            ("10.1.2.3", Some([10, 1, 2, 3])),
            ("10.1.2", Some([10, 1, 0, 2])),
            ("10.1.65535", Some([10, 1, 255, 255])),
            ("10.1.65536", None),
            ("10.1", Some([10, 0, 0, 1])),
            ("10.16777216", None),
            ("24", Some([0, 0, 0, 24])),
            ("4294967295", Some([255, 255, 255, 255])),
            ("4294967296", None),
            ("0xffffff00", Some([255, 255, 255, 0])),
            ("010.0x10.0.1", Some([8, 16, 0, 1])),
            ("10.0.0.1 trailing", Some([10, 0, 0, 1])),
            ("10.0.0.1\x0b", Some([10, 0, 0, 1])),
            ("10.0.0.256", None),
            ("10.256.1", None),
            ("10.0.0.1.1", None),
            ("10.0.0.", None),
            (".1", None),
            ("10..1", None),
            ("09", None),
            ("0x", None),
            ("0x.1", None),
            ("-1", None),
            (" 10.0.0.1", None),
            ("10.0.0.1/24", None),
            ("fe80::1", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(inet_aton(text.as_bytes()), want.map(Ipv4Addr::from), "{text:?}");
        }
    }
}
