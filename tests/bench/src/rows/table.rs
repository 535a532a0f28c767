//! Row 5: filling an empty table.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipvs::{
    diff, Backend, Destination, DestinationKey, Forwarding, Operation, Protocol, Service, ServiceKey, Table,
};
use testbed::{Host, Network};

use crate::edits::{wall_clock, Edits};
use crate::farm::numbered;
use crate::figure::{Figure, Series};
use crate::keepalived::{self, Check};

/// Entries for which one ipvsadm each is really started; for more the time is taken from these.
const SAMPLE: usize = 1000;

/// Ours is the way that lvs takes, in a program of its own: read the table, plan, carry out.
pub fn measure(runs: usize) -> Vec<Figure> {
    let network = Network::default();
    let host = network.add_host("director");
    let mut figures = Vec::new();
    for (services, servers) in [(100, 10), (100, 100), (1000, 10)] {
        let size = Size { services, servers };
        let series = |measure: &dyn Fn() -> f64| Series::new((0..runs).map(|_| measure()).collect());
        let ours = series(&|| on_empty(&host, || install(&host, size)));
        let restore = series(&|| on_empty(&host, || restore(&host, size)));
        let peer = series(&|| on_empty(&host, || start_keepalived(&host, size)));
        let each = Series::once(on_empty(&host, || one_by_one(&host, size)));
        let figure = Figure::new(5, format!("filling a table with {services} × {servers}"), "ms", ours);
        eprintln!("  {services} × {servers}: {}", figure.ours.median());
        figures.push(
            figure
                .beside("ipvsadm --restore", restore)
                .beside("keepalived's start", peer)
                .beside("ipvsadm for each entry", each),
        );
    }
    figures
}

#[derive(Debug, Clone, Copy)]
struct Size {
    services: u16,
    servers: u16,
}

impl Size {
    fn table(self) -> Table {
        let mut table = Table::new();
        for service in 0..self.services {
            let key =
                ServiceKey::Address { protocol: Protocol::Tcp, address: numbered(0, service), port: 80 };
            table.insert(Service { key, scheduler: "rr".into(), persistence: None });
            for server in 0..self.servers {
                let key_of_server = DestinationKey { address: numbered(1, server), port: 80 };
                let forwarding = Forwarding::Masquerade;
                table.insert_destination(&key, Destination { key: key_of_server, forwarding, weight: 1 });
            }
        }
        table
    }

    fn operations(self) -> Vec<Operation> {
        diff(&Table::new(), &self.table())
    }

    fn entries(self) -> usize {
        usize::from(self.services) * (1 + usize::from(self.servers))
    }
}

/// The job of the child that [`install`] starts: `SERVICES` and `SERVERS` are its arguments.
pub fn install_here(arguments: &[String]) {
    let number = |at: usize| arguments[at].parse().expect("a number");
    let wanted = Size { services: number(0), servers: number(1) }.table();
    let mut kernel = system::ipvs::Kernel::open().expect("a kernel with IPVS");
    let current = kernel.table().expect("a table");
    for result in kernel.apply(&diff(&current, &wanted)) {
        result.expect("the kernel takes every entry");
    }
}

fn install(host: &Host, size: Size) -> f64 {
    let program = std::env::current_exe().expect("a path of this program");
    let arguments = ["--install".to_owned(), size.services.to_string(), size.servers.to_string()];
    timed(host, move || Command::new(program).args(arguments).status().expect("this program"))
}

fn restore(host: &Host, size: Size) -> f64 {
    let script: String =
        size.operations().iter().map(|operation| operation.arguments().join(" ") + "\n").collect();
    timed(host, move || {
        let mut child =
            Command::new("ipvsadm").arg("--restore").stdin(Stdio::piped()).spawn().expect("ipvsadm");
        child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("a pipe");
        child.wait().expect("a child")
    })
}

fn one_by_one(host: &Host, size: Size) -> f64 {
    let operations = size.operations();
    let sample: Vec<Vec<String>> = operations.iter().take(SAMPLE).map(Operation::arguments).collect();
    let count = sample.len();
    let took = timed(host, move || {
        let run =
            |arguments: &Vec<String>| Command::new("ipvsadm").args(arguments).status().expect("ipvsadm");
        sample.iter().map(run).reduce(|_, latest| latest).expect("some entries")
    });
    took * operations.len() as f64 / count as f64
}

/// From the start to the last edit. The real servers have no checks and are in the table at once.
fn start_keepalived(host: &Host, size: Size) -> f64 {
    let mut config = keepalived::Config::default();
    for service in 0..size.services {
        let servers = (0..size.servers).map(|server| (numbered(1, server), 1));
        config = config.service(numbered(0, service), 80, Check::No, servers);
    }
    config.write(host);
    let edits = Edits::record(host);
    let started = wall_clock();
    let process = keepalived::start(host, &["-C"]);
    let mut seen = Vec::new();
    while seen.len() < size.entries() {
        thread::sleep(Duration::from_millis(500));
        seen.extend(edits.take());
    }
    drop(edits);
    host.kill_all();
    drop(process);
    host.exec("rm -f /run/keepalived.pid /run/checkers.pid");
    host.exec("ip link del nlmon0");
    1000.0 * (seen[size.entries() - 1].0.as_secs_f64() - started.as_secs_f64())
}

fn timed(host: &Host, work: impl FnOnce() -> std::process::ExitStatus + Send + 'static) -> f64 {
    let (status, took) = host.run(move || {
        let started = Instant::now();
        (work(), started.elapsed())
    });
    assert!(status.success());
    1000.0 * took.as_secs_f64()
}

fn on_empty(host: &Host, measure: impl FnOnce() -> f64) -> f64 {
    host.exec("ipvsadm -C");
    let took = measure();
    host.exec("ipvsadm -C");
    took
}
