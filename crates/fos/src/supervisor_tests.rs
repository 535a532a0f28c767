//! Whole lives of a fos, as tables: what happens (`<`), and what it does about it.

use super::*;

const CONFIG: &str = r#"
service = fos
failover web {
    address = 10.0.0.100 eth0:1
    active = 1
    port = 80
    start_cmd = "/web up"
    stop_cmd = "/web down"
}
failover idle {
    address = 10.0.0.101 eth0:2
    start_cmd = "/idle up"
}
failover mail {
    address = 10.0.0.102 eth0:3
    active = 1
    port = 25
    start_cmd = "/mail up"
    stop_cmd = "/mail down"
}
"#;

/// The two active blocks of [`CONFIG`], or one block with this text in it.
fn services(config: &str) -> Vec<Service> {
    let config = lvs_cf::parse(config.as_bytes(), &lvs_cf::NoNames).unwrap();
    Service::all(&config, [10, 0, 0, 2].into(), Style::default())
}

fn block(text: &str) -> String {
    format!("service = fos\nfailover web {{\naddress = 10.0.0.100 eth0:1\nactive = 1\n{text}\n}}\n")
}

fn line(action: &Action) -> String {
    match action {
        Action::Run(_, command) => format!("run {}", command.line()),
        Action::Abort => "abort".into(),
        Action::Watch(id, _) => format!("watch {id}"),
        Action::Unwatch(id) => format!("unwatch {id}"),
        Action::Log(message) => format!("log {message}").trim_end().into(),
        Action::Withdraw => "withdraw".into(),
        Action::SayGoodbye => "goodbye".into(),
        Action::Exit(status) => format!("exit {status}"),
    }
}

fn input(text: &str) -> Input {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<i32>().unwrap();
    match words[0] {
        "ended" => Input::CommandEnded(Outcome::Ended(number(1))),
        "late" => Input::CommandEnded(Outcome::TimedOut(std::time::Duration::from_secs(60))),
        "missing" => Input::CommandEnded(Outcome::NotStarted("No such file or directory".into())),
        "watched" => Input::MonitorStarted(number(1) as usize, number(2)),
        "unwatched" => Input::MonitorNotStarted(number(1) as usize, "No such file or directory".into()),
        "monitor-ended" => Input::MonitorEnded(number(1) as usize, true),
        "monitor-failed" => Input::MonitorEnded(number(1) as usize, false),
        "stranger" => Input::StrangerEnded { pid: number(1), status: number(2) },
        "signal" => Input::Signal(number(1)),
        "pulse-died" => Input::PulseDied,
        other => panic!("unknown input {other}"),
    }
}

/// Plays the inputs of `story` and compares all lines, inputs and actions.
fn check(name: &str, mode: Mode, config: &str, story: &str) {
    let wanted: Vec<&str> = story.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let (mut supervisor, actions) = Supervisor::start(mode, services(config), true);
    let mut found: Vec<String> = actions.iter().map(line).collect();
    for text in wanted.iter().filter_map(|line| line.strip_prefix("< ")) {
        found.push(format!("< {text}"));
        found.extend(supervisor.handle(input(text)).iter().map(line));
    }
    assert_eq!(found.join("\n"), wanted.join("\n"), "{name}");
}

#[test]
fn services_are_stopped_and_started_in_turn_and_stopped_at_the_end() {
    check(
        "active",
        Mode::Active,
        CONFIG,
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /web down
         < ended 0
         log Starting local service 10.0.0.100:80 ...
         run /web up
         < ended 0
         log Stopping local services (if any)
         log Shutting down local service 10.0.0.102:25
         run /mail down
         < ended 7
         log Warning; shutdown of local service 10.0.0.102:25 returned error 7
         log Starting local service 10.0.0.102:25 ...
         run /mail up
         < ended 1
         log Failed to start service 10.0.0.102:25!
         < signal 15
         log Shutting down due to signal 15
         log Shutting down local service 10.0.0.100:80
         run /web down
         < signal 15
         < ended 0
         log Shutting down local service 10.0.0.102:25
         run /mail down
         < ended 0
         log will now exit to notify pulse...
         exit 0",
    );
}

#[test]
fn monitors_are_started_in_turn_and_the_end_of_one_is_the_end() {
    check(
        "monitor",
        Mode::Monitor,
        CONFIG,
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /web down
         < ended 0
         watch 0
         < watched 0 70
         log Starting monitor for 10.0.0.100:80 running as pid 70
         log Stopping local services (if any)
         log Shutting down local service 10.0.0.102:25
         run /mail down
         < ended 0
         watch 1
         < watched 1 71
         log Starting monitor for 10.0.0.102:25 running as pid 71
         < monitor-ended 0
         log Monitor for service 10.0.0.100:80 exited. This is a failover condition!
         log Shutting down monitor for mail 10.0.0.102:25 running as pid 71
         unwatch 1
         < signal 15
         < monitor-ended 1
         log will now exit to notify pulse...
         exit 0",
    );
}

#[test]
fn term_is_honoured_whatever_runs() {
    check(
        "during a start_cmd: it is ended, then all stop_cmds run",
        Mode::Active,
        &block("start_cmd = /up\nstop_cmd = /down"),
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /down
         < ended 0
         log Starting local service 10.0.0.100:80 ...
         run /up
         < signal 15
         log Shutting down due to signal 15
         abort
         < late
         log Shutting down local service 10.0.0.100:80
         run /down
         < ended 0
         log will now exit to notify pulse...
         exit 0",
    );
    check(
        "during the first stop_cmd: it may finish",
        Mode::Active,
        &block("start_cmd = /up\nstop_cmd = /down"),
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /down
         < signal 1
         log Shutting down due to signal 1
         < ended 3
         log Warning; shutdown of local service 10.0.0.100:80 returned error 3
         log Shutting down local service 10.0.0.100:80
         run /down
         < ended 0
         log will now exit to notify pulse...
         exit 0",
    );
    check(
        "as a monitor: without a second round",
        Mode::Monitor,
        &block("stop_cmd = /down"),
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /down
         < signal 2
         log Shutting down due to signal 2
         < ended 0
         log will now exit to notify pulse...
         exit 0",
    );
}

#[test]
fn commands_that_fail_or_are_not_there_are_told_of() {
    check(
        "no commands",
        Mode::Active,
        &block(""),
        "log Stopping local services (if any)
         log no stop_cmd for service 10.0.0.100:80: skipped
         log no start_cmd for service 10.0.0.100:80: skipped
         < signal 15
         log Shutting down due to signal 15
         log no stop_cmd for service 10.0.0.100:80: skipped
         log will now exit to notify pulse...
         exit 0",
    );
    check(
        "late and missing",
        Mode::Active,
        &block("start_cmd = \"/up now\"\nstop_cmd = /down"),
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /down
         < late
         log stop_cmd of service 10.0.0.100:80 has not ended within 60 s: stopped
         log Warning; shutdown of local service 10.0.0.100:80 returned error 1
         log Starting local service 10.0.0.100:80 ...
         run /up now
         < missing
         log Couldn't execute \"/up\": No such file or directory
         log Failed to start service 10.0.0.100:80!",
    );
    check(
        "a monitor that is not there says nothing of the service",
        Mode::Monitor,
        &block("client_monitor = /nowhere"),
        "log Stopping local services (if any)
         log no stop_cmd for service 10.0.0.100:80: skipped
         watch 0
         < unwatched 0
         log Couldn't execute \"/nowhere\": No such file or directory
         log will now exit to notify pulse...
         exit 1",
    );
}

#[test]
fn pulse_learns_whether_a_service_has_ever_answered() {
    for (end, status) in [("monitor-ended", 0), ("monitor-failed", NEVER_ANSWERED)] {
        let (mut supervisor, _) = Supervisor::start(Mode::Monitor, services(&block("")), true);
        supervisor.handle(input("watched 0 70"));
        let actions = supervisor.handle(input(&format!("{end} 0")));
        assert_eq!(actions.last(), Some(&Action::Exit(status)), "{end}");
    }
    let (mut alone, _) = Supervisor::start(Mode::Monitor, services(&block("")), false);
    alone.handle(input("watched 0 70"));
    assert_eq!(alone.handle(input("monitor-failed 0")).last(), Some(&Action::Exit(0)));
}

#[test]
fn other_ends() {
    check(
        "an unknown child",
        Mode::Active,
        &block("start_cmd = /up"),
        "log Stopping local services (if any)
         log no stop_cmd for service 10.0.0.100:80: skipped
         log Starting local service 10.0.0.100:80 ...
         run /up
         < ended 0
         < stranger 9 2
         log Child with pid 9 died with status 2 -- exiting...
         log no stop_cmd for service 10.0.0.100:80: skipped
         log will now exit to notify pulse...
         exit 0",
    );
    check(
        "pulse is gone: the addresses go at once, the partner may have them when the services are down",
        Mode::Active,
        &block("stop_cmd = /down"),
        "log Stopping local services (if any)
         log Shutting down local service 10.0.0.100:80
         run /down
         < ended 0
         log no start_cmd for service 10.0.0.100:80: skipped
         < pulse-died
         log pulse died! shutting down
         withdraw
         log Shutting down local service 10.0.0.100:80
         run /down
         < ended 0
         goodbye
         log will now exit to notify pulse...
         exit 0",
    );
    check(
        "pulse is gone: a monitor holds nothing",
        Mode::Monitor,
        &block(""),
        "log Stopping local services (if any)
         log no stop_cmd for service 10.0.0.100:80: skipped
         watch 0
         < watched 0 70
         log Starting monitor for 10.0.0.100:80 running as pid 70
         < pulse-died
         log pulse died! shutting down
         log Shutting down monitor for web 10.0.0.100:80 running as pid 70
         unwatch 0
         < monitor-ended 0
         log will now exit to notify pulse...
         exit 0",
    );
}
