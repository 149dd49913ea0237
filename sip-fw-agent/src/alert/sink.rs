//! One of those who are told: its queue, its thread, and how it fares.

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sip_fw_core::record::{EventName, Record};

use super::channel::{Again, Channel, Patience, Trouble};
use super::message::Alert;
use super::rate::Rate;
use crate::backoff::doubled;
use crate::clock;
use crate::config::Selection;
use crate::control::view::AlertView;
use crate::report::queue::{Far, Queue};

/// How often is tried. The agent uses [`Pace::USUAL`]; tests hurry.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After the first failure of an alert; doubled by each further one.
    pub retry_min: Duration,
    /// Longest time between two tries, whatever the other end asks for.
    pub retry_max: Duration,
    /// Tries that an alert gets.
    pub tries: u32,
    /// For what waits when the sink is to end.
    pub last: Duration,
}

impl Pace {
    /// That of the agent: an alert is given up after two minutes and what the tries themselves take.
    pub const USUAL: Self = Self {
        retry_min: Duration::from_secs(1),
        retry_max: Duration::from_secs(60),
        tries: 8,
        last: Duration::from_millis(800),
    };
}

/// Near end of one of those who are told.
#[derive(Debug)]
pub struct Sink {
    kind: &'static str,
    name: String,
    events: Vec<EventName>,
    /// None when there could be no thread.
    queue: Option<Queue>,
    health: Arc<Mutex<Health>>,
    /// What people know.
    known_failing: bool,
}

/// How it fares.
#[derive(Debug, Default)]
struct Health {
    failing: bool,
    last_error: Option<String>,
    sent: u64,
    dropped: u64,
}

impl Sink {
    /// Starts it. Without a thread it fails from the beginning.
    pub fn start(kind: &'static str, name: &str, selection: &Selection, channel: impl Channel, pace: Pace) -> Self {
        let health = Arc::new(Mutex::new(Health::default()));
        let (rate, shared) = (Rate::new(selection.per_minute), Arc::clone(&health));
        let started = Queue::start(&format!("alert-{name}"), move |far| {
            Work { patience: Patience::new(far, pace.last), far, rate, channel, health: &shared, pace }.run();
        });
        let queue = started.map_err(|error| lock(&health).fails(format!("no thread: {error}"))).ok();
        let events = selection.events.clone();
        Self { kind, name: name.to_owned(), events, queue, health, known_failing: false }
    }

    /// Hands over a record if it is wanted; never waits.
    pub fn tell(&self, record: &Arc<Record>) {
        if let Some(queue) = self.queue.as_ref().filter(|_| self.events.contains(&record.event)) {
            queue.tell(Arc::clone(record));
        }
    }

    /// What people do not know yet of how it fares.
    pub fn news(&mut self) -> Option<Record> {
        let health = lock(&self.health);
        if health.failing == self.known_failing {
            return None;
        }
        self.known_failing = health.failing;
        let who =
            if self.kind == self.name { self.kind.to_owned() } else { format!("{} \"{}\"", self.kind, self.name) };
        let reason = match &health.last_error {
            Some(error) if health.failing => format!("{who} fails: {error}; sip-fw status says when it works again"),
            _ => format!("{who} works again; alerts dropped since it started: {}", health.dropped),
        };
        Some(Record::new(clock::wall(), EventName::Degraded).because(reason))
    }

    /// How it fares.
    pub fn view(&self) -> AlertView {
        let health = lock(&self.health);
        let missed = self.queue.as_ref().map_or(0, Queue::missed);
        AlertView {
            name: self.name.clone(),
            kind: self.kind.to_owned(),
            state: if health.failing { "failing" } else { "ok" }.to_owned(),
            last_error: health.last_error.clone(),
            sent: health.sent,
            dropped: health.dropped.saturating_add(missed),
        }
    }

    /// Tells it to end.
    pub fn close(&mut self) {
        self.queue.iter_mut().for_each(Queue::close);
    }

    /// Waits for its end, but not for longer.
    pub fn wait_until(&self, deadline: Instant) {
        self.queue.iter().for_each(|queue| queue.wait_until(deadline));
    }
}

impl Health {
    fn fails(&mut self, error: String) {
        self.failing = true;
        self.last_error = Some(error);
    }

    const fn works(&mut self) {
        self.failing = false;
        self.sent += 1;
    }
}

/// What the thread does.
struct Work<'a, C> {
    far: &'a Far,
    patience: Patience<'a>,
    rate: Rate,
    channel: C,
    health: &'a Mutex<Health>,
    pace: Pace,
}

impl<C: Channel> Work<'_, C> {
    fn run(mut self) {
        while let Some(alert) = self.next() {
            if !self.patience.is_over() && self.deliver(&alert) {
                continue;
            }
            lock(self.health).dropped += 1;
            self.rate.add_untold(alert.more.saturating_add(1));
        }
    }

    /// The next alert that may be told; None at the end.
    fn next(&mut self) -> Option<Alert> {
        loop {
            let missed = self.far.take_missed();
            if missed > 0 {
                lock(self.health).dropped += missed;
                self.rate.add_untold(missed);
            }
            let now = Instant::now();
            if let Some(alert) = self.rate.due(now) {
                return Some(alert);
            }
            let received = match self.rate.wait(now) {
                Some(wait) => self.far.records.recv_timeout(wait),
                None => self.far.records.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match received {
                Ok(record) => {
                    if let Some(alert) = self.rate.offer(record, Instant::now()) {
                        return Some(alert);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.rate.rest(),
            }
        }
    }

    /// Tries until it is delivered, or not worth another try.
    fn deliver(&mut self, alert: &Alert) -> bool {
        for failures in 1..=self.pace.tries {
            let Trouble { reason, again } = match self.channel.deliver(alert, &self.patience) {
                Ok(()) => {
                    lock(self.health).works();
                    return true;
                }
                Err(trouble) => trouble,
            };
            lock(self.health).fails(reason);
            let Again::Later(asked) = again else { return false };
            let wait = asked.unwrap_or_else(|| doubled(self.pace.retry_min, failures));
            let wait = wait.clamp(self.pace.retry_min, self.pace.retry_max);
            if failures == self.pace.tries || !self.patience.pause(wait) {
                break;
            }
        }
        false
    }
}

/// Nobody panics while they hold it; if they did, the numbers would still be the best there are.
fn lock(health: &Mutex<Health>) -> MutexGuard<'_, Health> {
    health.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::super::message::tests::ban;
    use super::*;
    use crate::report::queue::QUEUE_RECORDS_MAX;

    pub const HURRY: Pace = Pace {
        retry_min: Duration::from_millis(10),
        retry_max: Duration::from_millis(40),
        tries: 3,
        last: Duration::from_millis(100),
    };

    pub fn all(per_minute: u32) -> Selection {
        Selection { events: EventName::ALL.to_vec(), per_minute }
    }

    pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < Duration::from_secs(20), "in vain: {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How a sink fares as soon as it fares so.
    pub fn view_when(sink: &Sink, is_so: impl Fn(&AlertView) -> bool) -> AlertView {
        let mut view = sink.view();
        wait_for("a sink to fare otherwise", || {
            view = sink.view();
            is_so(&view)
        });
        view
    }

    /// Takes everything, each when it may.
    struct Gate {
        open: Receiver<()>,
        taken: Arc<Mutex<Vec<Alert>>>,
    }

    impl Channel for Gate {
        fn deliver(&mut self, alert: &Alert, _patience: &Patience<'_>) -> Result<(), Trouble> {
            self.taken.lock().unwrap().push(alert.clone());
            self.open.recv().map_err(|_| Trouble::for_good("nobody opens"))
        }
    }

    #[test]
    fn what_finds_the_queue_full_is_counted_and_said() {
        let (opens, open) = channel();
        let taken = Arc::default();
        let sink = Sink::start("webhook", "x", &all(1_000_000), Gate { open, taken: Arc::clone(&taken) }, HURRY);
        sink.tell(&ban("first", 0).record);
        wait_for("the first to be taken", || taken.lock().unwrap().len() == 1);
        for _ in 0..QUEUE_RECORDS_MAX + 7 {
            sink.tell(&ban("1000", 0).record);
        }
        assert_eq!((sink.view().sent, sink.view().dropped), (0, 7));
        opens.send(()).unwrap();
        wait_for("the second to be taken", || taken.lock().unwrap().len() == 2);
        assert_eq!(taken.lock().unwrap().iter().map(|alert| alert.more).collect::<Vec<_>>(), [0, 7]);
        let view = sink.view();
        assert_eq!((view.sent, view.dropped, view.state.as_str()), (1, 7, "ok"));
    }

    #[test]
    fn only_what_was_asked_for() {
        let (opens, open) = channel();
        let taken = Arc::default();
        let selection = Selection { events: vec![EventName::Ban], per_minute: 1 };
        let mut sink = Sink::start("webhook", "x", &selection, Gate { open, taken: Arc::clone(&taken) }, HURRY);
        let mut other = (*ban("1000", 0).record).clone();
        other.event = EventName::Denied;
        sink.tell(&Arc::new(other));
        // The rest of the minute is told at the end.
        for user in ["1000", "1001", "1002"] {
            sink.tell(&ban(user, 0).record);
            opens.send(()).unwrap();
        }
        sink.close();
        sink.wait_until(Instant::now() + Duration::from_secs(20));
        assert_eq!(*taken.lock().unwrap(), [ban("1000", 0), ban("1002", 1)]);
    }

    #[test]
    fn the_end_of_one_that_fails() {
        struct Never;
        impl Channel for Never {
            fn deliver(&mut self, _alert: &Alert, _patience: &Patience<'_>) -> Result<(), Trouble> {
                Err(Trouble { reason: "no".to_owned(), again: Again::Later(Some(Duration::from_secs(1000))) })
            }
        }
        let slow = Pace { retry_max: Duration::from_secs(1000), ..HURRY };
        let mut sink = Sink::start("exec", "x", &all(100), Never, slow);
        (0..50).for_each(|_| sink.tell(&ban("1000", 0).record));
        view_when(&sink, |view| view.state == "failing");
        let began = Instant::now();
        sink.close();
        sink.wait_until(began + Duration::from_secs(20));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(sink.view().dropped, 50);
    }
}
