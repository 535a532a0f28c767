//! A server program on a real server: HTTP, a conversation protocol and UDP echo on one port.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

use crate::host::Host;

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Up,
    /// Its port is open, but it does not answer.
    Hung,
    Down,
}

/// A new mode, and where to say that it is in force.
type Order = (Mode, Sender<()>);

/// Answers every request with its name: HTTP requests with a page, lines of a conversation with a line,
/// datagrams with a datagram.
#[derive(Debug)]
pub struct Server {
    name: String,
    requests: Arc<AtomicUsize>,
    control: Option<(Sender<Order>, JoinHandle<()>)>,
}

impl Server {
    /// Starts a server on TCP `port` of all addresses of `host`, and on the same UDP port of each of
    /// `udp_addresses` (named one by one so that an answer leaves from the address that was asked).
    pub fn start(host: &Host, name: &str, port: u16, udp_addresses: &[Ipv4Addr]) -> Server {
        let requests = Arc::new(AtomicUsize::new(0));
        let (control, orders) = mpsc::channel();
        let mut service = Service {
            name: name.to_owned(),
            port,
            udp_addresses: udp_addresses.to_vec(),
            requests: requests.clone(),
            listener: None,
            datagrams: Vec::new(),
            connections: Vec::new(),
        };
        let thread = host.run(move || thread::spawn(move || service.run(&orders)));
        let server = Server { name: name.to_owned(), requests, control: Some((control, thread)) };
        server.set(Mode::Up);
        server
    }

    /// The name it answers with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests answered so far, health checks included.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Ends the program: connections are reset, new ones refused.
    pub fn stop(&self) {
        self.set(Mode::Down);
    }

    /// The program hangs: connections are made by the kernel, but nobody answers.
    pub fn hang(&self) {
        self.set(Mode::Hung);
    }

    /// Starts the program again.
    pub fn restart(&self) {
        self.set(Mode::Up);
    }

    fn set(&self, mode: Mode) {
        let (done, wait) = mpsc::channel();
        let (control, _) = self.control.as_ref().expect("a server has its thread until it is dropped");
        control.send((mode, done)).expect("the server's thread runs");
        wait.recv().unwrap_or_else(|_| panic!("server {} failed", self.name));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((control, thread)) = self.control.take() {
            drop(control);
            let _ = thread.join();
        }
    }
}

/// Time between two looks at the orders, in milliseconds.
const TICK: u16 = 20;

struct Service {
    name: String,
    port: u16,
    udp_addresses: Vec<Ipv4Addr>,
    requests: Arc<AtomicUsize>,
    listener: Option<TcpListener>,
    datagrams: Vec<UdpSocket>,
    connections: Vec<Connection>,
}

impl Service {
    fn run(&mut self, orders: &Receiver<Order>) {
        let mut mode = Mode::Down;
        loop {
            match orders.try_recv() {
                Ok((ordered, done)) => {
                    mode = ordered;
                    self.follow(mode);
                    let _ = done.send(());
                }
                Err(mpsc::TryRecvError::Disconnected) => return,
                Err(mpsc::TryRecvError::Empty) => {}
            }
            match mode {
                Mode::Up => self.serve(),
                _ => thread::sleep(std::time::Duration::from_millis(TICK.into())),
            }
        }
    }

    fn follow(&mut self, mode: Mode) {
        if mode == Mode::Down {
            self.listener = None;
            self.datagrams.clear();
            self.connections.clear();
        } else if self.listener.is_none() {
            self.open().unwrap_or_else(|error| panic!("{} on port {}: {error}", self.name, self.port));
        }
    }

    fn open(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port))?;
        listener.set_nonblocking(true)?;
        self.listener = Some(listener);
        for address in &self.udp_addresses {
            let socket = UdpSocket::bind((*address, self.port))?;
            socket.set_nonblocking(true)?;
            self.datagrams.push(socket);
        }
        Ok(())
    }

    /// Waits up to a tick and serves what is ready.
    fn serve(&mut self) {
        let listener = self.listener.iter().map(|socket| socket.as_fd());
        let datagrams = self.datagrams.iter().map(|socket| socket.as_fd());
        let connections = self.connections.iter().map(|connection| connection.stream.as_fd());
        let sockets = listener.chain(datagrams).chain(connections);
        let mut ready: Vec<PollFd> = sockets.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        if poll(&mut ready, PollTimeout::from(TICK)).unwrap_or(0) == 0 {
            return;
        }
        let ready: Vec<bool> = ready.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let mut flags = ready[1 + self.datagrams.len()..].iter();
        let (name, requests) = (&self.name, &self.requests);
        self.connections.retain_mut(|connection| {
            !flags.next().copied().unwrap_or(false) || connection.serve(name, requests)
        });
        for socket in &self.datagrams {
            self.answer_datagrams(socket);
        }
        self.accept();
    }

    fn answer_datagrams(&self, socket: &UdpSocket) {
        let mut buffer = [0; 512];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let _ = socket.send_to(self.name.as_bytes(), peer);
        }
    }

    fn accept(&mut self) {
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(TcpListener::accept) {
            if stream.set_nonblocking(true).is_ok() {
                let mut connection = Connection { stream, input: Vec::new() };
                // The request often arrives with the connection.
                if connection.serve(&self.name, &self.requests) {
                    self.connections.push(connection);
                }
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// Reads what is there and answers complete requests; false when the connection is finished.
    fn serve(&mut self, name: &str, requests: &AtomicUsize) -> bool {
        let mut buffer = [0; 2048];
        let ended = loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break true,
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(_) => return false,
            }
        };
        let is_http = self.input.starts_with(b"GET ") || self.input.starts_with(b"HEAD ");
        if is_http && self.input.ends_with(b"\r\n\r\n") {
            requests.fetch_add(1, Ordering::Relaxed);
            let page = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{name}\n", name.len() + 1);
            let _ = self.stream.write_all(page.as_bytes());
            return false;
        }
        if !is_http && self.input.ends_with(b"\n") {
            self.input.clear();
            requests.fetch_add(1, Ordering::Relaxed);
            return self.stream.write_all(format!("{name}\n").as_bytes()).is_ok() && !ended;
        }
        !ended
    }
}
