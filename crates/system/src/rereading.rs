//! Reading lvs.cf again while a daemon's loop goes on. A host name in it has to be looked up, and a name server may be
//! silent for longer than the partner waits for heartbeats; so may a network file system.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::child;

/// How a file is read, and a thread for as long as it is being read. The thread is left behind if this is dropped.
pub struct Rereading<T> {
    read: Arc<dyn Fn() -> T + Send + Sync>,
    /// It is to be read, once nobody reads it.
    asked: bool,
    /// It is to be read at this time, if nobody asks before.
    put_off: Option<Duration>,
    reading: Option<Reading<T>>,
}

struct Reading<T> {
    /// Reads end-of-file when the thread is done.
    done: OwnedFd,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Rereading<T> {
    /// Nobody reads yet. `read` must start no program: descriptors that another child is to inherit may be open to exec.
    pub fn new(read: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read), asked: false, put_off: None, reading: None }
    }

    /// Asks for the file to be read; if it is being read, once more after that: it may have changed meanwhile.
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// Asks for the file to be read at this time.
    pub fn put_off(&mut self, until: Duration) {
        self.put_off = Some(until);
    }

    /// When that is.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.put_off
    }

    /// What to wait on while the file is being read.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.reading.as_ref().map(|reading| reading.done.as_fd())
    }

    /// Whether the file is being read, or is to be as soon as possible.
    pub fn is_busy(&self) -> bool {
        self.asked || self.reading.is_some()
    }

    /// Begins what was asked for, and returns what was read. `readable` tells that the descriptor is. To be called at
    /// every turn of the loop, until there is nothing to return.
    pub fn proceed(&mut self, now: Duration, readable: bool) -> Option<T> {
        self.asked |= self.put_off.is_some_and(|until| until <= now);
        if let Some(reading) = self.reading.take_if(|_| readable) {
            return Some(reading.finish());
        }
        if self.reading.is_some() || !std::mem::take(&mut self.asked) {
            return None;
        }
        self.put_off = None;
        match Reading::begin(Arc::clone(&self.read)) {
            Ok(reading) => self.reading = Some(reading),
            // No thread is left, or no descriptor: then the loop has to wait.
            Err(_) => return Some((self.read)()),
        }
        None
    }
}

impl<T: Send + 'static> Reading<T> {
    fn begin(read: Arc<dyn Fn() -> T + Send + Sync>) -> io::Result<Self> {
        let (done, open) = child::pipe()?;
        let read = move || {
            let result = read();
            drop(open);
            result
        };
        Ok(Self { done, thread: thread::Builder::new().name("rereading".into()).spawn(read)? })
    }

    fn finish(self) -> T {
        self.thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::SHORTAGE_PAUSE;
    use std::sync::mpsc::{channel, Sender};
    use std::sync::Mutex;

    const NOW: Duration = Duration::from_secs(100);

    /// A file that holds what is sent, and that takes until then to be read.
    fn slow() -> (Sender<&'static str>, Rereading<&'static str>) {
        let (sender, receiver) = channel();
        let receiver = Mutex::new(receiver);
        (sender, Rereading::new(move || receiver.lock().unwrap().recv().unwrap_or("nobody writes")))
    }

    fn wait_for<T: Send + 'static>(rereading: &mut Rereading<T>) -> T {
        crate::poll::wait(&[rereading.descriptor().unwrap()], None).unwrap();
        rereading.proceed(NOW, true).unwrap()
    }

    #[test]
    fn nobody_waits_for_the_file() {
        let (file, mut rereading) = slow();
        assert_eq!((rereading.proceed(NOW, false), rereading.is_busy()), (None, false));
        rereading.ask();
        assert_eq!((rereading.proceed(NOW, false), rereading.is_busy()), (None, true));
        assert_eq!(rereading.proceed(NOW, false), None);
        file.send("text").unwrap();
        assert_eq!(wait_for(&mut rereading), "text");
        assert_eq!((rereading.proceed(NOW, true), rereading.is_busy()), (None, false));
        assert!(rereading.descriptor().is_none());
    }

    #[test]
    fn who_asks_meanwhile_is_served_afterwards_and_once() {
        let (file, mut rereading) = slow();
        rereading.ask();
        assert_eq!(rereading.proceed(NOW, false), None);
        for _ in 0..3 {
            rereading.ask();
            assert_eq!(rereading.proceed(NOW, false), None);
        }
        file.send("first").unwrap();
        assert_eq!((wait_for(&mut rereading), rereading.is_busy()), ("first", true));
        assert_eq!(rereading.proceed(NOW, false), None);
        file.send("second").unwrap();
        assert_eq!((wait_for(&mut rereading), rereading.is_busy()), ("second", false));
    }

    #[test]
    fn what_is_put_off_is_read_in_its_time_or_when_somebody_asks_before() {
        for (asks, now) in [(false, NOW + SHORTAGE_PAUSE), (true, NOW)] {
            let (file, mut rereading) = slow();
            rereading.put_off(NOW + SHORTAGE_PAUSE);
            assert_eq!(rereading.next_deadline(), Some(NOW + SHORTAGE_PAUSE));
            assert_eq!((rereading.proceed(NOW, false), rereading.is_busy()), (None, false));
            if asks {
                rereading.ask();
            }
            assert_eq!((rereading.proceed(now, false), rereading.is_busy()), (None, true));
            assert_eq!(rereading.next_deadline(), None);
            file.send("text").unwrap();
            assert_eq!((wait_for(&mut rereading), rereading.is_busy()), ("text", false));
        }
    }

    #[test]
    fn a_thread_that_still_reads_holds_nobody_up() {
        let (_file, mut rereading) = slow();
        rereading.ask();
        assert_eq!(rereading.proceed(NOW, false), None);
        drop(rereading);
    }
}
