//! The bytes of a gratuitous ARP frame.

use pnet_base::MacAddr;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet_packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use std::net::Ipv4Addr;

/// A hardware address.
pub type Mac = [u8; 6];

/// The hardware address of everybody on the link.
pub const BROADCAST: Mac = [0xff; 6];

/// The shortest frame that Ethernet carries, without its check sum; the rest of an ARP frame is zero.
pub const FRAME_LEN: usize = 60;

/// A whole frame, ready for a packet socket.
pub type Frame = [u8; FRAME_LEN];

/// The two ways of saying "this address is here" (RFC 5227 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An unsolicited reply whose target is the sender itself: what `send_arp` always sent.
    Reply,
    /// A request for the sender's own address, with an empty target hardware address.
    Request,
}

/// An announcement that `address` is at `mac`, sent to `destination`.
#[must_use]
pub fn frame(form: Form, address: Ipv4Addr, mac: Mac, destination: Mac) -> Frame {
    let mut frame = [0; FRAME_LEN];
    let (operation, target) = match form {
        Form::Reply => (ArpOperations::Reply, MacAddr::from(mac)),
        Form::Request => (ArpOperations::Request, MacAddr::zero()),
    };
    if let Some(mut ethernet) = MutableEthernetPacket::new(&mut frame) {
        ethernet.set_destination(MacAddr::from(destination));
        ethernet.set_source(MacAddr::from(mac));
        ethernet.set_ethertype(EtherTypes::Arp);
    }
    let (_, payload) = frame.split_at_mut(EthernetPacket::minimum_packet_size());
    if let Some(mut arp) = MutableArpPacket::new(payload) {
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(operation);
        arp.set_sender_hw_addr(MacAddr::from(mac));
        arp.set_sender_proto_addr(address);
        arp.set_target_hw_addr(target);
        arp.set_target_proto_addr(address);
    }
    frame
}
