//! The command line: `send_arp [-i dev] src_ip_addr src_hw_addr targ_ip_addr tar_hw_addr`.

use announce::Mac;
use system::options::Stop;

/// The device without `-i`.
const DEFAULT_DEVICE: &str = "eth0";

const USAGE: &str = "send_arp: sends out custom ARP packet. Yuri Volobuev '97\n\
                     \tusage: send_arp [-i dev] src_ip_addr src_hw_addr targ_ip_addr tar_hw_addr\n\n\n";

/// The words of a well-formed command line. The third operand is ignored: the frame's target is its sender.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    pub device: &'a str,
    pub address: &'a str,
    pub mac: &'a str,
    pub destination: &'a str,
}

impl<'a> Request<'a> {
    /// Four operands, with or without `-i dev` before them; anything else is answered with the usage.
    pub fn parse(arguments: &'a [impl AsRef<str>]) -> Result<Self, Stop> {
        let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let (device, operands) = match words.as_slice() {
            ["-i", device, operands @ ..] => (*device, operands),
            operands => (DEFAULT_DEVICE, operands),
        };
        let &[address, mac, _, destination] = operands else {
            return Err(Stop { text: USAGE.into(), status: 1 });
        };
        Ok(Self { device, address, mac, destination })
    }
}

/// Twelve hexadecimal digits, with or without a colon after each pair. What follows is ignored.
pub fn hardware_address(text: &str) -> Result<Mac, Stop> {
    parse_hardware_address(text.as_bytes()).ok_or_else(|| Stop::error("Invalid hardware address"))
}

fn parse_hardware_address(mut text: &[u8]) -> Option<Mac> {
    let mut mac = Mac::default();
    for octet in &mut mac {
        let [high, low, rest @ ..] = text else { return None };
        *octet = digit(*high)? << 4 | digit(*low)?;
        text = rest.strip_prefix(b":").unwrap_or(rest);
    }
    Some(mac)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses() {
        let mac = Some([0x26, 0xaf, 0xe1, 0xe5, 0x36, 0xbc]);
        for (text, wanted) in [
            ("26AFE1E536BC", mac),
            ("26afe1e536bc", mac),
            ("26:af:e1:E5:36:BC", mac),
            ("26afe1:e536bc", mac),
            ("26:af:e1:e5:36:bc:", mac),
            ("26:af:e1:e5:36:bc and more", mac),
            ("26AFE1E536B", None),
            ("26-af-e1-e5-36-bc", None),
            ("26::af:e1:e5:36:bc", None),
            ("2:6:a:f:e:1", None),
            ("26AFE1E536BG", None),
            ("", None),
            ("ä6AFE1E536BC", None),
        ] {
            assert_eq!(parse_hardware_address(text.as_bytes()), wanted, "{text:?}");
        }
    }

    #[test]
    fn operands_are_counted_exactly() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Request::parse(&words).ok().map(|request| format!("{request:?}"))
        };
        let request =
            |device| Some(format!("{:?}", Request { device, address: "ip", mac: "mac", destination: "to" }));
        for (line, wanted) in [
            ("ip mac x to", request("eth0")),
            ("-i br0 ip mac x to", request("br0")),
            ("", None),
            ("--help", None),
            ("ip mac x", None),
            ("ip mac x to more", None),
            ("-i br0 ip mac", None),
            ("-i br0 ip mac x", None),
            ("-i br0 ip mac x to more", None),
            ("ip mac x to -i br0", None),
        ] {
            assert_eq!(parse(line), wanted, "{line:?}");
        }
    }
}
