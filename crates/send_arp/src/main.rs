//! send_arp: announces one address on one link by gratuitous ARP.
//!
//! One frame for each invocation: the one that pulse sends itself, from the command line.

mod cli;

use announce::{frame, Form};
use cli::Request;
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use system::errno;
use system::options::Stop;
use system::packet::PacketSocket;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match run(&arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(stop.print()),
    }
}

/// Checks in the order of the original: number of operands, privilege, hardware addresses, address, device.
fn run(arguments: &[impl AsRef<str>]) -> Result<(), Stop> {
    let request = Request::parse(arguments)?;
    let socket = PacketSocket::open().map_err(|error| failed("socket", &error))?;
    let destination = cli::hardware_address(request.destination)?;
    let mac = cli::hardware_address(request.mac)?;
    let address = resolve(request.address)?;
    let frame = frame(Form::Reply, address, mac, destination);
    send(&socket, request.device, &frame).map_err(|error| failed("sendto", &error))
}

fn send(socket: &PacketSocket, device: &str, frame: &announce::Frame) -> io::Result<()> {
    // Whatever is wrong with a name, no device has it.
    let index = if_nametoindex(device).map_err(|_| Errno::ENODEV)?;
    socket.send(index, frame)
}

/// A dotted address in any form that the C library knows, or a host name.
fn resolve(name: &str) -> Result<Ipv4Addr, Stop> {
    let unknown = || Stop::error(format!("send_arp: unknown host {name}"));
    let first_ipv4 = |addresses: std::vec::IntoIter<SocketAddr>| {
        addresses.into_iter().find_map(|address| match address {
            SocketAddr::V4(address) => Some(*address.ip()),
            SocketAddr::V6(_) => None,
        })
    };
    (name, 0).to_socket_addrs().ok().and_then(first_ipv4).ok_or_else(unknown)
}

fn failed(call: &str, error: &io::Error) -> Stop {
    Stop::error(format!("{call}: {}", errno::text(error)))
}
