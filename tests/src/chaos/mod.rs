//! Chaos on the real thing: a pair under load, and a seed that decides what goes wrong with it.
//!
//! After each step everything is put right again but what the suite itself has to put right; when it is quiet,
//! one director serves, exactly as the configuration and the health of the real servers ask for, and nothing is
//! left over of what happened.

mod check;
mod fault;

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;

use self::check::Limits;
use self::fault::{Damage, Entries, Fault, Side, Step, Want};
use crate::client::{Outcome, Probe, Prober};
use crate::cluster::{Cluster, Forwarding, NAT_ROUTER, VIP};
use crate::director::{Director, CONFIG};
use crate::host::succeed;
use crate::rng::Rng;
use crate::shortage::Room;
use crate::wait::wait_until;

/// How long the pair may take until it is quiet: five times what the slowest of thousands of steps took.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same when an lvs ended on both directors one after the other. It is tried again after a minute: a node never
/// fights for a service that it cannot keep up. [`TRIED_AGAIN`] is what it says then.
const LONG_PATIENCE: Duration = Duration::from_secs(80);
const TRIED_AGAIN: &str = "lvs ended and nobody serves: trying again";

/// What was found in order must be so again after this time.
const CONFIRMATION: Duration = Duration::from_millis(700);

/// Between two looks. In the guest a look is many processes.
const PAUSE: Duration = Duration::from_millis(200);

const PROBES: Duration = Duration::from_millis(40);

/// A pair that things happen to.
#[derive(Debug)]
pub struct Chaos {
    cluster: Cluster,
    rng: Rng,
    limits: Option<Limits>,
    /// Which real servers answer now. Those that a step has hurt stay so until all is in order without them.
    healthy: Vec<bool>,
    scheduler: &'static str,
    all_servers: bool,
    /// On which side pulse was told to end in this step: that may take a moment.
    told_to_end: [bool; 2],
    /// When the last step began, in the journal's time.
    step_began: Duration,
    /// The steps so far.
    trace: Vec<String>,
}

/// What undoes a fault at the end of its step.
type Undo = Box<dyn FnOnce(&mut Chaos)>;

impl Chaos {
    /// A serving pair with three real servers.
    pub fn start(seed: u64) -> Chaos {
        let mut cluster = Cluster::builder(Forwarding::Nat).real_servers(3).build();
        cluster.config.set("primary_private", "10.1.0.1").set("backup_private", "10.1.0.2");
        let web = cluster.config.virtual_server("web");
        web.set("send", r#""GET / HTTP/1.0\r\n\r\n""#).set("expect", r#""HTTP""#);
        web.set("timeout", 1).set("reentry", 1);
        cluster.configure();
        cluster.start_both();
        // Earlier faults leave connections behind, for up to 15 minutes. A new one from the port of such a connection
        // to a server that has since been taken out would be lost, whatever the suite does.
        for host in [&cluster.a.host, &cluster.b.host] {
            host.sysctl("net.ipv4.vs.expire_nodest_conn", "1");
        }
        let healthy = vec![true; cluster.real_servers.len()];
        let mut chaos = Chaos {
            cluster,
            rng: Rng::new(seed),
            limits: None,
            healthy,
            scheduler: "rr",
            all_servers: true,
            told_to_end: [false; 2],
            step_began: Duration::ZERO,
            trace: Vec::new(),
        };
        let clients = chaos.clients();
        chaos.wait_for_quiet(&clients);
        chaos.limits = Some(Limits::measure(&chaos.cluster));
        chaos
    }

    /// Draws a step, takes it, and waits until all is in order again; if real servers were hurt, first without them.
    /// Returns how long that took. Panics with the trace if it does not come, or if clients lost a request in a step
    /// that can cost none.
    pub fn step(&mut self) -> Duration {
        let step = Step::draw(&mut self.rng, self.cluster.real_servers.len());
        let line = format!("step {}: {step}", self.trace.len() + 1);
        self.step_began = self.cluster.journal().now();
        self.cluster.journal().step(&line);
        self.trace.push(line);
        let clients = self.clients();
        let undo: Vec<Undo> = step.faults.iter().filter_map(|fault| self.inflict(fault)).collect();
        thread::sleep(step.period);
        // In reverse: what was done last is undone first.
        undo.into_iter().rev().for_each(|undo| undo(self));
        thread::sleep(step.unattended);
        self.attend();
        self.cluster.journal().step("all faults are over");
        let mut quiet = self.wait_for_quiet(&clients);
        if self.heal_servers() {
            quiet = quiet.max(self.wait_for_quiet(&clients));
        }
        if step.faults.iter().all(Fault::costs_nothing) {
            let report = clients.stop();
            let problem = format!("this can cost nothing: {report}: {:?}", report.losses());
            assert_eq!(report.lost(), 0, "{}", self.report(&[problem]));
        }
        quiet
    }

    /// Everything that is not in order now, clients left out.
    pub fn disorder(&mut self) -> Vec<String> {
        check::problems(self)
    }

    /// The pair.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What each program used at most when all was in order.
    pub fn usage(&self) -> String {
        self.limits.as_ref().map_or_else(String::new, |limits| limits.to_string())
    }

    /// The last step as it was drawn.
    pub fn last_step(&self) -> &str {
        self.trace.last().map_or("", String::as_str)
    }

    fn clients(&self) -> Prober {
        self.cluster.probe(Probe::Tcp, PROBES)
    }

    /// What a service manager does: a pulse that has ended is started again, and one that was told to is waited for.
    fn attend(&mut self) {
        for side in [Side::A, Side::B] {
            if std::mem::take(&mut self.told_to_end[side as usize]) {
                wait_until(PATIENCE, &format!("pulse ends on {side:?}"), || !self.director(side).runs());
            }
            if !self.director(side).runs() {
                self.director(side).start(&[]);
            }
        }
    }

    fn wait_for_quiet(&mut self, clients: &Prober) -> Duration {
        let (start, since) = (Instant::now(), self.step_began);
        loop {
            let mut problems = self.problems(clients);
            if problems.is_empty() {
                thread::sleep(CONFIRMATION);
                problems = self.problems(clients);
                if problems.is_empty() {
                    return start.elapsed();
                }
            }
            let tried_again =
                self.cluster.journal().lines(|line| line.at >= since && line.text.contains(TRIED_AGAIN));
            let patience = if tried_again.is_empty() { PATIENCE } else { LONG_PATIENCE };
            assert!(start.elapsed() < patience, "after {patience:?} {}", self.report(&problems));
            thread::sleep(PAUSE);
        }
    }

    fn problems(&mut self, clients: &Prober) -> Vec<String> {
        let mut problems = check::problems(self);
        let answered = |outcome: &Outcome| matches!(outcome, Outcome::Answered(_));
        let samples = clients.report().samples;
        let last = samples.iter().rev().take(5);
        let served = samples.len() >= 5 && last.clone().all(|sample| answered(&sample.outcome));
        if !served && self.healthy.iter().take(self.configured()).any(|healthy| *healthy) {
            problems.push("clients are not served".to_owned());
        }
        problems
    }

    fn report(&self, problems: &[String]) -> String {
        format!("not in order:\n  {}\nsteps:\n  {}", problems.join("\n  "), self.trace.join("\n  "))
    }

    fn director(&mut self, side: Side) -> &mut Director {
        match side {
            Side::A => &mut self.cluster.a,
            Side::B => &mut self.cluster.b,
        }
    }

    /// Real servers in lvs.cf.
    fn configured(&self) -> usize {
        self.cluster.real_servers.len() - usize::from(!self.all_servers)
    }

    /// The weight of a real server in lvs.cf: where weights count, that of the first differs.
    fn weight(&self, which: usize) -> u32 {
        if which == 0 && self.scheduler == "wrr" {
            3
        } else {
            1
        }
    }

    fn inflict(&mut self, fault: &Fault) -> Option<Undo> {
        match *fault {
            Fault::Signal { side, program, which, signal } => {
                let side = self.where_it_runs(side, program);
                self.signal(side, program, which, signal);
                None
            }
            Fault::Freeze { side, program, which } => {
                let side = self.where_it_runs(side, program);
                self.freeze(side, program, which)
            }
            Fault::Crash(side) => Some(self.crash(side)),
            Fault::Stop(side) => {
                self.signal(side, "pulse", 0, Signal::SIGTERM);
                None
            }
            Fault::Cut { side, device } => Some(self.cut(side, device)),
            Fault::Partition => {
                self.cluster.partition(true);
                Some(Box::new(|chaos| chaos.cluster.partition(false)))
            }
            Fault::Impair { side, device, sent, how } => Some(self.impair(side, device, sent, how)),
            Fault::ServerDown(which) => {
                self.hurt_server(which, false);
                None
            }
            Fault::ServerHangs(which) => {
                self.hurt_server(which, true);
                None
            }
            Fault::Damage { side, damage } => Some(self.damage(side, damage)),
            Fault::Reload { scheduler, all_servers } => {
                self.change(scheduler, all_servers);
                self.hang_up(Side::A);
                self.hang_up(Side::B);
                None
            }
            Fault::RemoveAddress { side, address } => {
                self.remove_address(side, address);
                None
            }
            Fault::RemoveEntries { side, entries } => {
                self.remove_entries(side, entries);
                None
            }
            Fault::StepClock(seconds) => step_clock(seconds),
            Fault::ExhaustDescriptors(side) => Some(self.exhaust_descriptors(side)),
            Fault::ExhaustProcesses { side, want } => Some(self.exhaust_processes(side, want)),
            Fault::FillDisk { side, room, want } => Some(self.fill_disk(side, room, want)),
        }
    }

    /// This side, or the other if nothing of this name runs here: a standby has no lvs and no nanny.
    fn where_it_runs(&mut self, side: Side, program: &str) -> Side {
        self.where_it_is(side, |director| !director.host.processes_named(program).is_empty())
    }

    /// This side, or the other if it is not here.
    fn where_it_is(&mut self, side: Side, is_here: impl Fn(&Director) -> bool) -> Side {
        let found = if is_here(self.director(side)) { side } else { side.other() };
        if found != side {
            self.cluster.journal().step(&format!("not on {side:?}: on {found:?}"));
        }
        found
    }

    fn process(&mut self, side: Side, program: &str, which: usize) -> Option<Pid> {
        let mut found = self.director(side).host.processes_named(program);
        found.sort();
        let place = which % found.len().max(1);
        found.get(place).copied()
    }

    fn signal(&mut self, side: Side, program: &str, which: usize, signal: Signal) {
        // It may have ended meanwhile.
        let Some(pid) = self.process(side, program, which).filter(|&pid| kill(pid, signal).is_ok()) else {
            return;
        };
        let to_end = [Signal::SIGTERM, Signal::SIGKILL].contains(&signal);
        // A child that pulse has just forked is called pulse, too.
        self.told_to_end[side as usize] |= to_end && self.director(side).has_pulse(pid);
    }

    fn freeze(&mut self, side: Side, program: &'static str, which: usize) -> Option<Undo> {
        let pid = self.process(side, program, which)?;
        kill(pid, Signal::SIGSTOP).ok()?;
        Some(Box::new(move |_| {
            let _ = kill(pid, Signal::SIGCONT);
        }))
    }

    fn crash(&mut self, side: Side) -> Undo {
        let Cluster { a, b, network, .. } = &mut self.cluster;
        let director = if side == Side::A { a } else { b };
        director.crash(network);
        director.forget_everything(&[VIP, NAT_ROUTER]);
        Box::new(move |chaos| {
            let Cluster { a, b, network, .. } = &mut chaos.cluster;
            (if side == Side::A { a } else { b }).reconnect(network);
        })
    }

    fn cut(&mut self, side: Side, device: &'static str) -> Undo {
        let cable = move |chaos: &Chaos, plugged: bool| {
            let Cluster { a, b, network, .. } = &chaos.cluster;
            let host = if side == Side::A { &a.host } else { &b.host };
            match plugged {
                true => network.plug(host, device),
                false => network.unplug(host, device),
            }
        };
        cable(self, false);
        Box::new(move |chaos| cable(chaos, true))
    }

    fn impair(&mut self, side: Side, device: &'static str, sent: bool, how: &'static str) -> Undo {
        let set = move |chaos: &Chaos, how: Option<&str>| {
            let Cluster { a, b, network, .. } = &chaos.cluster;
            network.impair(if side == Side::A { &a.host } else { &b.host }, device, sent, how);
        };
        set(self, Some(how));
        Box::new(move |chaos| set(chaos, None))
    }

    /// It stays so until [`Chaos::heal_servers`].
    fn hurt_server(&mut self, which: usize, hang: bool) {
        let server = &self.cluster.real_servers[which].server;
        if hang {
            server.hang();
        } else {
            server.stop();
        }
        self.healthy[which] = false;
    }

    /// Whether there were any to heal.
    fn heal_servers(&mut self) -> bool {
        let hurt = self.healthy.contains(&false);
        for (real, healthy) in self.cluster.real_servers.iter().zip(&mut self.healthy) {
            if !*healthy {
                self.cluster.journal().step(&format!("{} is well again", real.server.name()));
                real.server.restart();
                *healthy = true;
            }
        }
        hurt
    }

    /// Damages lvs.cf and has it read. A director that starts meanwhile finds it so, too.
    fn damage(&mut self, side: Side, damage: Damage) -> Undo {
        let text = self.cluster.config.to_string();
        match damage {
            Damage::Missing => self.remove_config(side),
            Damage::Unreadable => {
                self.remove_config(side);
                self.director(side).host.try_exec(&format!("mkdir {CONFIG}"));
            }
            Damage::Truncated(percent) => self.write_config(side, &text[..text.len() * percent / 100]),
            Damage::Garbage => self.write_config(side, "}\u{1}\u{7f}= {{ virtual \"\n\\\r= = =\n#"),
        }
        self.hang_up(side);
        Box::new(move |chaos| chaos.repair_config(side))
    }

    fn remove_config(&mut self, side: Side) {
        // It may be a directory at the moment.
        self.director(side).host.exec(&format!("rm -rf {CONFIG}"));
    }

    /// Writes a director's lvs.cf. On a full disk it may come out missing, empty or cut off; whoever makes room has
    /// it repaired.
    fn write_config(&mut self, side: Side, text: &str) {
        self.remove_config(side);
        if let Err(error) = self.director(side).host.try_write(CONFIG, text) {
            self.cluster.journal().step(&format!("lvs.cf of {side:?} is not written: {error}"));
        }
    }

    /// Gives a director the configuration that is in force, and has it read.
    fn repair_config(&mut self, side: Side) {
        self.write_config(side, &self.cluster.config.to_string());
        self.hang_up(side);
    }

    fn hang_up(&mut self, side: Side) {
        self.signal(side, "pulse", 0, Signal::SIGHUP);
    }

    /// Gives both directors another lvs.cf; nobody is told.
    fn change(&mut self, scheduler: &'static str, all_servers: bool) {
        self.scheduler = scheduler;
        let (first, weight) = (self.cluster.real_servers[0].server.name().to_owned(), self.weight(0));
        let last = self.cluster.real_servers.last().expect("real servers");
        let (name, address) = (last.server.name().to_owned(), last.address);
        let web = self.cluster.config.virtual_server("web").set("scheduler", scheduler).remove_server(&name);
        web.set_server(&first, "weight", weight);
        if all_servers {
            web.add_server(&name, address, 1);
        }
        self.all_servers = all_servers;
        let text = self.cluster.config.to_string();
        self.write_config(Side::A, &text);
        self.write_config(Side::B, &text);
    }

    fn remove_address(&mut self, side: Side, address: Ipv4Addr) {
        let side = self.where_it_is(side, |director| director.holds(address));
        let device = if address == VIP { "eth0" } else { "eth1" };
        self.director(side).host.try_exec(&format!("ip addr del {address}/24 dev {device}"));
    }

    /// They may be gone already.
    fn remove_entries(&mut self, side: Side, entries: Entries) {
        let side = self.where_it_is(side, |director| !director.ipvs().services.is_empty());
        let server = |which: usize| self.cluster.real_servers[which].address;
        let line = match entries {
            Entries::All => "ipvsadm -C".to_owned(),
            Entries::Service => format!("ipvsadm -D -t {VIP}:80"),
            Entries::Server(which) => format!("ipvsadm -d -t {VIP}:80 -r {}:80", server(which)),
        };
        self.director(side).host.try_exec(&line);
    }

    /// What is open stays open. The lowest number that is free is the one that would be given next.
    fn exhaust_descriptors(&mut self, side: Side) -> Undo {
        self.limit_descriptors(side, |pid| {
            let is_open = |number: &usize| fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
            (0..).find(|number| !is_open(number)).unwrap_or(0)
        });
        self.hang_up(side);
        Box::new(move |chaos| chaos.limit_descriptors(side, |_| 1024))
    }

    fn exhaust_processes(&mut self, side: Side, want: Want) -> Undo {
        self.prepare(want);
        self.director(side).host.forbid_processes();
        self.provoke(side, want);
        Box::new(move |chaos| chaos.director(side).host.allow_processes())
    }

    /// What was cut off for want of room is put right with it.
    fn fill_disk(&mut self, side: Side, room: Room, want: Want) -> Undo {
        self.prepare(want);
        self.director(side).host.fill_disk(room);
        self.provoke(side, want);
        Box::new(move |chaos| {
            chaos.director(side).host.empty_disk();
            chaos.repair_config(side);
        })
    }

    /// The part of a want that comes before the shortage: a file can be written.
    fn prepare(&mut self, want: Want) {
        if let Want::Change { scheduler, all_servers } = want {
            self.change(scheduler, all_servers);
        }
    }

    fn provoke(&mut self, side: Side, want: Want) {
        match want {
            Want::Reload => self.hang_up(side),
            Want::Change { .. } => {
                self.hang_up(Side::A);
                self.hang_up(Side::B);
            }
            Want::Kill { program, which } => {
                let runs = self.process(side, program, which).is_some();
                self.signal(side, if runs { program } else { "pulse" }, which, Signal::SIGKILL);
            }
            Want::Serve => self.signal(side.other(), "pulse", 0, Signal::SIGTERM),
        }
    }

    fn limit_descriptors(&mut self, side: Side, limit: impl Fn(Pid) -> usize) {
        let host = &self.director(side).host;
        for pid in host.processes() {
            host.try_exec(&format!("prlimit --pid {pid} --nofile={0}:{0}", limit(pid)));
        }
    }
}

/// The wall clock of the lab's own guest; that of a real machine is left alone.
fn step_clock(seconds: i64) -> Option<Undo> {
    let in_guest = fs::read_to_string("/proc/cmdline").is_ok_and(|line| line.contains(" lab="));
    if !in_guest {
        return None;
    }
    let now = || {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs() as i64
    };
    let step = move |seconds: i64| {
        let then = now() + seconds;
        succeed(Command::new("date").args(["-s", &format!("@{then}")]));
        assert!((0..5).contains(&(now() - then)), "the clock has not been set");
    };
    step(seconds);
    Some(Box::new(move |_| step(-seconds)))
}
