//! Scripted services on loopback ports that the kernel chooses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{self, sockopt, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn};

/// What a service does. Times are seconds since [`Server::begin`].
#[derive(Debug, Clone, Copy)]
pub enum Script {
    /// Refuses connections.
    Closed,
    /// Accepts and says nothing, during these times; refuses at others.
    Open(&'static [(f64, f64)]),
    /// Accepts, then sends each piece after its delay (seconds), then holds the connection.
    Says(&'static [(f64, &'static [u8])]),
    /// Reads a request, then sends this and closes.
    Answers(&'static [u8]),
    /// Accepts and closes.
    Closes,
    /// Accepts and resets a moment later.
    Resets,
    /// Listens with a full backlog: connections are neither made nor refused.
    Full,
    /// Answers each datagram with this one.
    Udp(&'static [u8]),
    /// Nobody receives datagrams.
    UdpClosed,
}

/// A running service. Its threads end with the test process.
pub struct Server {
    pub address: SocketAddr,
    /// Starts the clock of [`Script::Open`].
    clock: Option<Sender<Instant>>,
    /// The first bytes that each client sent.
    pub received: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Keeps the port while nobody listens on it.
    _port: OwnedFd,
    _clients: Vec<OwnedFd>,
}

impl Server {
    pub fn start(script: Script) -> Server {
        let udp = matches!(script, Script::Udp(_) | Script::UdpClosed);
        let kind = if udp { SockType::Datagram } else { SockType::Stream };
        let (port, address) = reserve(kind);
        let received = Arc::new(Mutex::new(Vec::new()));
        let (mut clients, mut clock) = (Vec::new(), None);
        match script {
            // Nobody listens on a reserved stream port; a reserved datagram port does receive.
            Script::Closed => {}
            Script::UdpClosed => return Server::nowhere(port),
            Script::Udp(reply) => answer_datagrams(&port, reply, Arc::clone(&received)),
            Script::Full => clients = fill(&port, address),
            Script::Open(times) => clock = Some(open_and_close(address, times)),
            _ => {
                let listener = TcpListener::bind(address).unwrap();
                let record = Arc::clone(&received);
                thread::spawn(move || serve(&listener, script, &record));
            }
        }
        Server { address, clock, received, _port: port, _clients: clients }
    }

    /// From now on times count. What a service does at time zero it does before as well.
    pub fn begin(&self, start: Instant) {
        if let Some(clock) = &self.clock {
            let _ = clock.send(start);
        }
    }

    /// A datagram port on which nobody receives: one connected elsewhere takes no strangers' datagrams.
    fn nowhere(port: OwnedFd) -> Server {
        let address: SockaddrIn = socket::getsockname(port.as_raw_fd()).unwrap();
        socket::connect(port.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 9)).unwrap();
        let address = SocketAddr::from((address.ip(), address.port()));
        Server { address, clock: None, received: Arc::default(), _port: port, _clients: Vec::new() }
    }
}

/// A bound socket that does not listen: connections to its port are refused, and nobody else gets it.
fn reserve(kind: SockType) -> (OwnedFd, SocketAddr) {
    let fd = socket::socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
    socket::setsockopt(&fd, sockopt::ReuseAddr, &true).unwrap();
    socket::bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = socket::getsockname(fd.as_raw_fd()).unwrap();
    (fd, SocketAddr::from((address.ip(), address.port())))
}

/// Listens for one connection at most and makes as many as it takes for the next to hang.
fn fill(port: &OwnedFd, address: SocketAddr) -> Vec<OwnedFd> {
    socket::listen(port, Backlog::new(0).unwrap()).unwrap();
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        assert!(clients.len() < 100, "the backlog never fills");
        clients.push(client.into());
    }
    clients
}

fn answer_datagrams(port: &OwnedFd, reply: &'static [u8], record: Arc<Mutex<Vec<Vec<u8>>>>) {
    let socket = UdpSocket::from(port.try_clone().unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            record.lock().unwrap().push(buffer[..length].to_vec());
            let _ = socket.send_to(reply, client);
        }
    });
}

fn open_and_close(address: SocketAddr, times: &'static [(f64, f64)]) -> Sender<Instant> {
    let open = move || TcpListener::bind(address).unwrap();
    let mut listener = times.first().filter(|(opens, _)| *opens == 0.0).map(|_| open());
    let (clock, begin) = mpsc::channel::<Instant>();
    thread::spawn(move || {
        let Ok(start) = begin.recv() else { return };
        let sleep_until =
            |seconds| thread::sleep(Duration::from_secs_f64(seconds).saturating_sub(start.elapsed()));
        for &(opens, closes) in times {
            sleep_until(opens);
            let listener = listener.take().unwrap_or_else(open);
            sleep_until(closes);
            drop(listener);
        }
    });
    clock
}

fn serve(listener: &TcpListener, script: Script, record: &Arc<Mutex<Vec<Vec<u8>>>>) {
    for client in listener.incoming() {
        let Ok(client) = client else { return };
        let record = Arc::clone(record);
        thread::spawn(move || talk(client, script, &record));
    }
}

fn talk(mut client: TcpStream, script: Script, record: &Mutex<Vec<Vec<u8>>>) {
    let mut buffer = [0; 512];
    match script {
        Script::Says(pieces) => {
            for (delay, piece) in pieces {
                thread::sleep(Duration::from_secs_f64(*delay));
                let _ = client.write_all(piece);
            }
            let _ = client.read(&mut buffer);
        }
        Script::Answers(reply) => {
            let length = client.read(&mut buffer).unwrap_or(0);
            record.lock().unwrap().push(buffer[..length].to_vec());
            let _ = client.write_all(reply);
        }
        Script::Resets => {
            thread::sleep(Duration::from_millis(100));
            let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            socket::setsockopt(&client, sockopt::Linger, &linger).unwrap();
        }
        _ => {}
    }
}
