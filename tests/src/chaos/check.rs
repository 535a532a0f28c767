//! What must hold when all is quiet.

use std::collections::BTreeMap;
use std::fs;

use nix::unistd::Pid;

use super::Chaos;
use crate::cluster::{Cluster, NAT_ROUTER, VIP};
use crate::director::Director;
use crate::truth::{addresses, Table};
use crate::usage::Usage;

/// The programs of the suite.
const PROGRAMS: [&str; 3] = ["pulse", "lvs", "nanny"];

/// Room above what a program used when nothing had happened yet.
const MORE_DESCRIPTORS: usize = 4;
const MORE_MEMORY_KIB: usize = 1024;

/// What each program may use at most.
#[derive(Debug)]
pub struct Limits(BTreeMap<&'static str, Usage>);

impl Limits {
    /// Some room above what the programs use now.
    pub(super) fn measure(cluster: &Cluster) -> Limits {
        let mut limits: BTreeMap<&'static str, Usage> = BTreeMap::new();
        for (program, _, usage) in usages(cluster) {
            let limit = limits.entry(program).or_default();
            limit.descriptors = limit.descriptors.max(usage.descriptors + MORE_DESCRIPTORS);
            limit.memory_kib = limit.memory_kib.max(usage.memory_kib + MORE_MEMORY_KIB);
        }
        Limits(limits)
    }

    fn problems(&self, cluster: &Cluster) -> Vec<String> {
        let exceeds = |(program, host, usage): (&'static str, String, Usage)| {
            let limit = self.0.get(program)?;
            let within = usage.descriptors <= limit.descriptors && usage.memory_kib <= limit.memory_kib;
            (!within).then(|| format!("{program} on {host} has grown: {usage:?}, limit {limit:?}"))
        };
        usages(cluster).into_iter().filter_map(exceeds).collect()
    }
}

/// The use of every process of the suite, with its program and host.
fn usages(cluster: &Cluster) -> Vec<(&'static str, String, Usage)> {
    let mut usages = Vec::new();
    for director in [&cluster.a, &cluster.b] {
        for program in PROGRAMS {
            let found = director.host.processes_named(program).into_iter().filter_map(Usage::of);
            usages.extend(found.map(|usage| (program, director.name().to_owned(), usage)));
        }
    }
    usages
}

/// Everything that is not in order.
pub(super) fn problems(chaos: &mut Chaos) -> Vec<String> {
    let mut problems = Vec::new();
    for director in [&mut chaos.cluster.a, &mut chaos.cluster.b] {
        if !director.runs() {
            problems.push(format!("pulse does not run on {}", director.name()));
        }
    }
    let cluster = &chaos.cluster;
    let holds = [&cluster.a, &cluster.b].map(|director| director.holds(VIP));
    match holds {
        [true, false] => problems.extend(roles(chaos, &cluster.a, &cluster.b)),
        [false, true] => problems.extend(roles(chaos, &cluster.b, &cluster.a)),
        [true, true] => problems.push("both directors hold the VIP".to_owned()),
        [false, false] => problems.push("no director holds the VIP".to_owned()),
    }
    problems.extend(chaos.limits.iter().flat_map(|limits| limits.problems(cluster)));
    problems.extend(zombies());
    let panics = cluster.journal().lines(|line| line.text.contains("panicked at"));
    problems.extend(panics.into_iter().map(|line| line.text));
    problems
}

fn roles(chaos: &Chaos, active: &Director, standby: &Director) -> Vec<String> {
    let mut problems = Vec::new();
    let floating = |director: &Director| {
        let mut held: Vec<String> = addresses(&director.host)
            .into_iter()
            .filter(|(_, address)| [VIP, NAT_ROUTER].contains(address))
            .map(|(label, address)| format!("{address} {label}"))
            .collect();
        held.sort();
        held
    };
    let mut expect = |what: &str, found: String, wanted: String| {
        if found != wanted {
            problems.push(format!("{what}: {found}, not {wanted}"));
        }
    };
    let wanted = [format!("{VIP} eth0:1"), format!("{NAT_ROUTER} eth1:1")];
    expect("addresses of the active", format!("{:?}", floating(active)), format!("{wanted:?}"));
    expect("addresses of the standby", format!("{:?}", floating(standby)), "[]".to_owned());
    expect("table of the active", show(&active.ipvs()), wanted_table(chaos));
    expect("table of the standby", show(&standby.ipvs()), String::new());
    let mut wanted = vec!["lvs", "pulse"];
    wanted.splice(1..1, std::iter::repeat_n("nanny", chaos.configured()));
    expect("processes of the active", programs(active), wanted.join(" "));
    expect("processes of the standby", programs(standby), "pulse".to_owned());
    problems
}

/// The names of all processes of a director, sorted.
fn programs(director: &Director) -> String {
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let mut names: Vec<String> = director.host.processes().into_iter().filter_map(name).collect();
    names.sort();
    names.iter().map(|name| name.trim_end()).collect::<Vec<_>>().join(" ")
}

/// The configuration without the real servers that do not answer.
fn wanted_table(chaos: &Chaos) -> String {
    let servers = chaos.cluster.real_servers.iter().zip(&chaos.healthy).take(chaos.configured());
    let mut lines: Vec<String> = servers
        .filter(|(_, healthy)| **healthy)
        .map(|(real, _)| format!("{}:80 Masq 1", real.address))
        .collect();
    lines.sort();
    format!("TCP {VIP}:80 {} {lines:?}", chaos.scheduler)
}

fn show(table: &Table) -> String {
    let service = |service: &crate::truth::Service| {
        let mut lines: Vec<String> = service
            .destinations
            .iter()
            .map(|entry| format!("{} {} {}", entry.address, entry.forward, entry.weight))
            .collect();
        lines.sort();
        format!("{} {} {lines:?}", service.key, service.scheduler)
    };
    table.services.iter().map(service).collect::<Vec<_>>().join("; ")
}

/// Processes of the suite that have ended and that nobody has reaped.
fn zombies() -> Vec<String> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let zombie = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (start, rest) = stat.split_once(") ")?;
        let name = start.split_once('(')?.1;
        let is_zombie = rest.starts_with('Z') && PROGRAMS.contains(&name);
        is_zombie.then(|| format!("nobody has reaped {name} {}", entry.file_name().to_string_lossy()))
    };
    pids.filter_map(zombie).collect()
}
