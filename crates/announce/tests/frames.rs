//! The frames, byte for byte and as another library reads them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use announce::{frame, Form, Frame, Mac, Target, BROADCAST};
use etherparse::{ArpOperation, EtherType, NetSlice, SlicedPacket};
use std::net::Ipv4Addr;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
const MAC: Mac = [0x26, 0xaf, 0xe1, 0xe5, 0x36, 0xbc];

/// Captured from the original: `send_arp -i eth0 10.0.0.100 26AFE1E536BC 10.0.0.255 ffffffffffff`.
const CAPTURED: &str = "ffffffffffff26afe1e536bc0806\
                        0001080006040002\
                        26afe1e536bc0a000064\
                        26afe1e536bc0a000064\
                        000000000000000000000000000000000000";

fn hex(frame: &Frame) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_reply_form_is_the_originals_frame() {
    assert_eq!(hex(&frame(Form::Reply, ADDRESS, MAC, BROADCAST)), CAPTURED);
}

#[test]
fn another_library_reads_what_was_meant() {
    let destination = [2, 0, 0, 0, 0, 1];
    for (form, operation, target) in
        [(Form::Reply, ArpOperation::REPLY, MAC), (Form::Request, ArpOperation::REQUEST, [0; 6])]
    {
        let frame = frame(form, ADDRESS, MAC, destination);
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        let ethernet = packet.link.unwrap().to_header().unwrap().ethernet2().unwrap();
        assert_eq!((ethernet.source, ethernet.destination), (MAC, destination));
        assert_eq!(ethernet.ether_type, EtherType::ARP);
        let Some(NetSlice::Arp(arp)) = packet.net else { panic!("not ARP: {:?}", packet.net) };
        let arp = arp.to_packet().try_eth_ipv4().unwrap();
        assert_eq!(arp.operation, operation);
        assert_eq!((arp.sender_mac, arp.sender_ipv4), (MAC, ADDRESS.octets()));
        assert_eq!((arp.target_mac, arp.target_ipv4), (target, ADDRESS.octets()));
        assert_eq!(frame[42..], [0; 18]);
    }
}

#[test]
fn a_target_is_announced_in_both_forms_to_everybody() {
    let target = Target { ifindex: 2, address: ADDRESS, mac: MAC };
    let wanted = [Form::Reply, Form::Request].map(|form| frame(form, ADDRESS, MAC, BROADCAST));
    assert_eq!(target.frames(), wanted);
}
