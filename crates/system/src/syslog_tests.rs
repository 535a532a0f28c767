use super::*;
use std::io::Read;
use std::os::unix::net::UnixListener;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let place = std::env::temp_dir().join(format!("syslog-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&place);
        Place(place)
    }

    fn sender(&self) -> Syslog {
        Syslog { path: self.0.clone(), ..Syslog::new() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn received(receiver: &UnixDatagram) -> Vec<String> {
    receiver.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2000];
    std::iter::from_fn(|| receiver.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec()))
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
}

/// What follows the time: `Nov  5 07:08:09 `.
fn after_time(message: &str) -> &str {
    let (priority, rest) = message.split_once('>').unwrap();
    let time = &rest.as_bytes()[..16];
    for (at, expected) in [(3, b' '), (6, b' '), (9, b':'), (12, b':'), (15, b' ')] {
        assert_eq!(time[at], expected, "{message}");
    }
    assert!(priority.starts_with('<'));
    &rest[16..]
}

#[test]
fn a_message_says_who_sends_it_and_when() {
    let place = Place::new("form");
    let receiver = UnixDatagram::bind(&place.0).unwrap();
    let mut syslog = place.sender();
    syslog.send("early");
    syslog.open("lvsd");
    syslog.send("late");
    let messages = received(&receiver);
    assert!(messages[0].starts_with("<14>") && messages[0].ends_with(": early"), "{messages:?}");
    assert!(messages[1].starts_with("<30>"), "{messages:?}");
    assert_eq!(after_time(&messages[1]), format!("lvsd[{}]: late", std::process::id()));
}

#[test]
fn a_receiver_that_is_behind_misses_nothing() {
    let place = Place::new("behind");
    let receiver = UnixDatagram::bind(&place.0).unwrap();
    let mut syslog = place.sender();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..1000).for_each(|number| syslog.send(&number.to_string())));
        let mut buffer = [0; 200];
        for number in 0..1000 {
            let length = receiver.recv(&mut buffer).unwrap();
            assert!(buffer[..length].ends_with(format!(": {number}").as_bytes()), "{number}");
        }
    });
}

#[test]
fn a_receiver_that_hangs_holds_nobody_up_and_is_told_what_it_missed() {
    let place = Place::new("hangs");
    let receiver = UnixDatagram::bind(&place.0).unwrap();
    let mut syslog = place.sender();
    // More than any queue takes.
    for number in 0..100_000 {
        syslog.send(&format!("{number} {}", "x".repeat(900)));
    }
    let (taken, lost) = (received(&receiver).len() as u64, syslog.lost);
    assert_eq!(taken + lost, 100_000);
    syslog.send("goes on");
    let messages = received(&receiver);
    let text = format!("{lost} messages are missing here: the syslog did not take them");
    assert!(messages[0].ends_with(&text) && messages[1].ends_with("goes on"), "{messages:?}");
}

#[test]
fn a_receiver_that_was_started_again_is_found() {
    let place = Place::new("again");
    let mut syslog = place.sender();
    syslog.open("pulse");
    syslog.send("nobody hears");
    let first = UnixDatagram::bind(&place.0).unwrap();
    syslog.send("one");
    assert_eq!(received(&first).len(), 2, "what was lost, and the message");
    drop(first);
    std::fs::remove_file(&place.0).unwrap();
    let second = UnixDatagram::bind(&place.0).unwrap();
    syslog.send("two");
    assert!(received(&second)[0].ends_with(": two"));
}

#[test]
fn a_receiver_may_want_a_stream() {
    let place = Place::new("stream");
    let listener = UnixListener::bind(&place.0).unwrap();
    let mut syslog = place.sender();
    syslog.open("nanny");
    syslog.send("one");
    syslog.send("two");
    let (mut stream, _) = listener.accept().unwrap();
    drop(syslog);
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let texts: Vec<&str> =
        all.split_terminator('\0').map(|message| message.rsplit(": ").next().unwrap()).collect();
    assert_eq!(texts, ["one", "two"]);
}
