//! Servers that do what no server should.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use crate::host::Host;

/// No connection is treated for longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a server treats those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Accepts, and says nothing.
    Stall,
    /// One byte a second of an answer that would be right.
    Drip,
    /// Data without end, as fast as they are taken.
    Endless,
    /// Resets the connection.
    Reset,
    /// Bytes that mean nothing, and the end.
    Junk,
}

/// A server on a port of a host; it ends when it is dropped.
#[derive(Debug)]
pub struct HostileServer {
    running: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HostileServer {
    /// Starts it on TCP `port` of all addresses of `host`.
    pub fn start(host: &Host, port: u16, manner: Manner) -> HostileServer {
        let running = Arc::new(AtomicBool::new(true));
        let keep_on = running.clone();
        let thread = host.run(move || {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("a free port");
            listener.set_nonblocking(true).expect("a socket");
            thread::spawn(move || serve(&listener, manner, &keep_on))
        });
        HostileServer { running, thread: Some(thread) }
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, manner: Manner, running: &Arc<AtomicBool>) {
    while running.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let running = running.clone();
                thread::spawn(move || treat(stream, manner, &running));
            }
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn treat(mut stream: TcpStream, manner: Manner, running: &AtomicBool) {
    let start = Instant::now();
    let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
    let on = || running.load(Ordering::Relaxed) && start.elapsed() < PATIENCE;
    match manner {
        Manner::Stall => {
            while on() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Manner::Drip => {
            for byte in b"HTTP/1.0 200 OK\r\n".iter().take_while(|_| on()) {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_secs(1));
            }
        }
        Manner::Endless => while on() && goes_on(&stream.write(&[b'x'; 4096])) {},
        Manner::Reset => {
            let _ = setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
        }
        Manner::Junk => {
            let junk: Vec<u8> = (0..2048_u32).map(|number| (number * 167 + 13) as u8).collect();
            let _ = stream.write_all(&junk);
        }
    }
}

fn goes_on(written: &std::io::Result<usize>) -> bool {
    match written {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
