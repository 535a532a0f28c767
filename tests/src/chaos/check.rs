//! What must hold when all is quiet.

use std::collections::BTreeMap;
use std::fmt;
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
const MORE_DESCRIPTORS: usize = 3;
const MORE_MEMORY_KIB: usize = 640;

/// What each program may use at most, and what it has used.
#[derive(Debug)]
pub struct Limits {
    limits: BTreeMap<&'static str, Usage>,
    highest: BTreeMap<&'static str, Usage>,
}

impl Limits {
    /// Some room above what the programs use now.
    pub(super) fn measure(cluster: &Cluster) -> Limits {
        let mut highest = BTreeMap::new();
        raise(&mut highest, &usages(cluster));
        let mut limits = highest.clone();
        for limit in limits.values_mut() {
            limit.descriptors += MORE_DESCRIPTORS;
            limit.memory_kib += MORE_MEMORY_KIB;
        }
        Limits { limits, highest }
    }

    fn problems(&mut self, cluster: &Cluster) -> Vec<String> {
        let usages = usages(cluster);
        raise(&mut self.highest, &usages);
        let exceeds = |(program, host, usage): &(&'static str, String, Usage)| {
            let limit = self.limits.get(program)?;
            let within = usage.descriptors <= limit.descriptors && usage.memory_kib <= limit.memory_kib;
            (!within).then(|| format!("{program} on {host} has grown: {usage:?}, limit {limit:?}"))
        };
        usages.iter().filter_map(exceeds).collect()
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.highest.iter().try_for_each(|(program, highest)| {
            let limit = &self.limits[program];
            let (descriptors, memory) = (highest.descriptors, highest.memory_kib);
            writeln!(
                f,
                "{program}: at most {descriptors} descriptors (limit {}), {memory} KiB (limit {})",
                limit.descriptors, limit.memory_kib
            )
        })
    }
}

/// Keeps the highest use of each program.
fn raise(highest: &mut BTreeMap<&'static str, Usage>, usages: &[(&'static str, String, Usage)]) {
    for (program, _, usage) in usages {
        let most: &mut Usage = highest.entry(program).or_default();
        most.descriptors = most.descriptors.max(usage.descriptors);
        most.memory_kib = most.memory_kib.max(usage.memory_kib);
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
    problems.extend(chaos.limits.iter_mut().flat_map(|limits| limits.problems(cluster)));
    problems.extend(zombies());
    problems.extend(unheard(cluster));
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
    expect("table of the active", show(&started(active.ipvs(), chaos)), wanted_table(chaos));
    expect("table of the standby", show(&standby.ipvs()), String::new());
    let mut wanted = vec!["lvs of pulse"];
    wanted.extend(std::iter::repeat_n("nanny of lvs", chaos.configured()));
    wanted.push("pulse");
    expect("processes of the active", programs(active), wanted.join(", "));
    expect("processes of the standby", programs(standby), "pulse".to_owned());
    problems
}

/// All processes of a director as `NAME of PARENT`, sorted; the pulse that was started last has no parent.
fn programs(director: &Director) -> String {
    let described = |pid: Pid| {
        let Process { name, parent, .. } = Process::of(pid)?;
        match director.has_pulse(pid) {
            true => Some(name),
            false => {
                Some(format!("{name} of {}", Process::of(parent).map_or(String::new(), |parent| parent.name)))
            }
        }
    };
    let mut described: Vec<String> = director.host.processes().into_iter().filter_map(described).collect();
    described.sort();
    described.join(", ")
}

/// What `/proc/PID/stat` says about a process.
struct Process {
    name: String,
    is_zombie: bool,
    parent: Pid,
}

impl Process {
    /// None if it is gone.
    fn of(pid: Pid) -> Option<Process> {
        Process::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name, in parentheses, may hold blanks.
    fn parse(stat: &str) -> Option<Process> {
        let (start, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let is_zombie = fields.next()? == "Z";
        let parent = Pid::from_raw(fields.next()?.parse().ok()?);
        Some(Process { name: start.split_once('(')?.1.to_owned(), is_zombie, parent })
    }
}

/// The table when the slow start is over: a server that has come back has less than its weight for some 20 seconds.
fn started(mut table: Table, chaos: &Chaos) -> Table {
    let weights: BTreeMap<String, u32> = (chaos.cluster.real_servers.iter().enumerate())
        .map(|(which, real)| (format!("{}:80", real.address), chaos.weight(which)))
        .collect();
    for entry in table.services.iter_mut().flat_map(|service| &mut service.destinations) {
        match weights.get(&entry.address) {
            Some(weight) if (1..*weight).contains(&entry.weight) => entry.weight = *weight,
            _ => {}
        }
    }
    table
}

/// The configuration without the real servers that do not answer.
fn wanted_table(chaos: &Chaos) -> String {
    let servers = chaos.cluster.real_servers.iter().enumerate().take(chaos.configured());
    let mut lines: Vec<String> = servers
        .filter(|(which, _)| chaos.healthy[*which])
        .map(|(which, real)| format!("{}:80 Masq {}", real.address, chaos.weight(which)))
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

/// Processes of the suite, and what these have started, that have ended and that nobody has reaped.
fn zombies() -> Vec<String> {
    let is_ours = |name: &str| PROGRAMS.contains(&name);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)));
    let zombie = |pid: Pid| {
        let Process { name, parent, .. } = Process::of(pid).filter(|process| process.is_zombie)?;
        let ours = is_ours(&name) || Process::of(parent).is_some_and(|parent| is_ours(&parent.name));
        ours.then(|| format!("nobody has reaped {name} {pid}"))
    };
    pids.filter_map(zombie).collect()
}

/// Processes whose panic nobody would see: their standard error does not lead to the journal.
fn unheard(cluster: &Cluster) -> Vec<String> {
    let mut unheard = Vec::new();
    for host in [&cluster.a.host, &cluster.b.host] {
        for pid in PROGRAMS.iter().flat_map(|program| host.processes_named(program)) {
            let error = fs::read_link(format!("/proc/{pid}/fd/2"));
            if error.as_ref().is_ok_and(|target| !target.to_string_lossy().starts_with("pipe:")) {
                unheard.push(format!("process {pid} on {} writes its errors to {error:?}", host.name()));
            }
        }
    }
    unheard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_name_state_and_parent() {
        let process = Process::parse("17 (a (b) c) Z 4 17 17 0 -1").expect("a process");
        assert_eq!(
            (process.name.as_str(), process.is_zombie, process.parent),
            ("a (b) c", true, Pid::from_raw(4))
        );
        assert!(!Process::of(Pid::this()).expect("this process").is_zombie);
    }
}
