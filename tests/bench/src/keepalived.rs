//! Debian's keepalived as a peer: its configuration for the jobs of the rows.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::Path;

use testbed::{Host, Process};

const PROGRAM: &str = "/usr/sbin/keepalived";
const CONFIG: &str = "/etc/keepalived/keepalived.conf";

/// A check of a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// None: it is always in the table.
    No,
    /// `TCP_CHECK`: a connection.
    Connect,
    /// `HTTP_GET`: a request, and the answer's status.
    Http,
}

/// A `keepalived.conf` in the making.
#[derive(Debug, Clone)]
pub struct Config {
    text: String,
    interval: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config::checking_every(2)
    }
}

impl Config {
    /// Without anything yet; real servers will be checked every `interval` seconds.
    pub fn checking_every(interval: u32) -> Config {
        Config { text: "global_defs {\n router_id lab\n}\n".to_owned(), interval }
    }

    /// A VRRP instance with an advertisement each second: `own` in its advertisements, `further` beside them.
    /// Addresses are as in `10.0.0.50/24 dev eth0`.
    pub fn vrrp(mut self, priority: u8, own: &[String], further: &[String]) -> Config {
        let _ = write!(
            self.text,
            "vrrp_instance lab {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
             advert_int 1\n virtual_ipaddress {{\n  {}\n }}\n",
            own.join("\n  ")
        );
        if !further.is_empty() {
            let _ = writeln!(self.text, " virtual_ipaddress_excluded {{\n  {}\n }}", further.join("\n  "));
        }
        self.text.push_str("}\n");
        self
    }

    /// A TCP service; each real server is an address and a weight.
    pub fn service(
        mut self,
        vip: Ipv4Addr,
        port: u16,
        check: Check,
        servers: impl IntoIterator<Item = (Ipv4Addr, u32)>,
    ) -> Config {
        let _ = writeln!(
            self.text,
            "virtual_server {vip} {port} {{\n delay_loop {}\n lb_algo rr\n lb_kind NAT\n protocol TCP",
            self.interval
        );
        let check = match check {
            Check::No => "",
            Check::Connect => "TCP_CHECK { \n connect_timeout 2\n retry 0\n }\n",
            Check::Http => {
                "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 2\n retry 0\n }\n"
            }
        };
        for (address, weight) in servers {
            let _ = writeln!(self.text, " real_server {address} {port} {{\n weight {weight}\n {check} }}");
        }
        self.text.push_str("}\n");
        self
    }

    /// Writes it on a host.
    pub fn write(&self, host: &Host) {
        host.write(CONFIG, &self.text);
    }
}

/// Starts keepalived in the foreground with these further options.
pub fn start(host: &Host, options: &[&str]) -> Process {
    let mut arguments = vec!["-n", "-l", "-f", CONFIG];
    arguments.extend(options);
    host.spawn(Path::new(PROGRAM), &arguments)
}
