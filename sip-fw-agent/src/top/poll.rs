//! Asks the agent from threads of their own, so that a slow agent never holds up the keys.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use sip_fw_core::record::Record;
use sip_fw_core::time::Timestamp;

use super::entry::Table;
use super::picture::News;
use super::view::{Deed, Wish};
use crate::clock;
use crate::config::Paths;
use crate::control::client::ask;
use crate::control::protocol::{Failure, Request};
use crate::exit_code::ExitCode;

/// How often the counters are asked for.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// How often a table is asked for.
const TABLE_EVERY: Duration = Duration::from_secs(2);
/// An answer that takes long is asked for less often: asking takes at most this part of the agent's time.
const SHARE: u32 = 10;
/// Sources that the agent is asked for: many screens.
const SOURCES_MAX: usize = 500;
/// The past that the events begin with.
const PAST: Duration = Duration::from_secs(3600);
/// Before an agent that is away is asked again.
const AWAY_PAUSE: Duration = Duration::from_secs(1);
/// News that wait to be drawn; then the threads wait.
pub const NEWS_MAX: usize = 1024;

/// The near end of the threads.
pub struct Poll {
    /// What is wanted of the agent.
    pub wishes: Sender<Wish>,
    /// What it says.
    pub news: Receiver<News>,
}

/// Starts the threads. They end when the other end of their channels does.
///
/// # Errors
///
/// If there can be no more threads.
pub fn start(paths: &Paths) -> io::Result<Poll> {
    let (wishes, wished) = channel();
    let (news, told) = sync_channel(NEWS_MAX);
    let asker = Asker { paths: paths.clone(), news: news.clone() };
    thread::Builder::new().name("poll".to_owned()).spawn(move || asker.run(&wished))?;
    let follower = Asker { paths: paths.clone(), news };
    thread::Builder::new().name("events".to_owned()).spawn(move || follower.follow())?;
    Ok(Poll { wishes, news: told })
}

/// Nobody listens any more.
struct Ended;

struct Asker {
    paths: Paths,
    news: SyncSender<News>,
}

/// When to ask next.
struct Pace {
    every: Duration,
    next: Instant,
}

impl Pace {
    fn new(every: Duration) -> Self {
        Self { every, next: Instant::now() }
    }

    fn took(&mut self, time: Duration) {
        self.next = Instant::now() + self.pause(time);
    }

    fn pause(&self, time: Duration) -> Duration {
        self.every.max(time.saturating_mul(SHARE))
    }
}

impl Asker {
    fn run(&self, wished: &Receiver<Wish>) {
        let (mut status, mut table) = (Pace::new(STATUS_EVERY), Pace::new(TABLE_EVERY));
        let mut watched = Table::Sources;
        loop {
            let wait = status.next.min(table.next).saturating_duration_since(Instant::now());
            let told = match wished.recv_timeout(wait) {
                Ok(Wish::Watch(other)) => {
                    watched = other;
                    table.next = Instant::now();
                    Ok(())
                }
                Ok(Wish::Explain(address)) => self.explain(address),
                Ok(Wish::Do(deed)) => {
                    table.next = Instant::now();
                    self.perform(&deed)
                }
                Ok(Wish::End) | Err(RecvTimeoutError::Disconnected) => Err(Ended),
                Err(RecvTimeoutError::Timeout) if status.next <= Instant::now() => {
                    self.keep_up(&mut status, &Request::Status, News::Status)
                }
                Err(RecvTimeoutError::Timeout) if watched == Table::Bans => {
                    self.keep_up(&mut table, &Request::Bans { ended: false }, |bans| News::Bans(*bans))
                }
                Err(RecvTimeoutError::Timeout) => {
                    let request = Request::Sources { worst: Some(SOURCES_MAX) };
                    self.keep_up(&mut table, &request, |sources| News::Sources(*sources))
                }
            };
            if told.is_err() {
                return;
            }
        }
    }

    /// Asks for what is shown all the time.
    fn keep_up<T: DeserializeOwned>(
        &self,
        pace: &mut Pace,
        request: &Request,
        news: impl FnOnce(Box<T>) -> News,
    ) -> Result<(), Ended> {
        let asked = Instant::now();
        let answer = self.ask(request);
        pace.took(asked.elapsed());
        self.tell(match answer {
            Ok(view) => news(view),
            Err(failure) => News::Gone(failure.message),
        })
    }

    fn explain(&self, address: String) -> Result<(), Ended> {
        let answer = self.ask(&Request::Explain { address, service: None });
        self.tell(answer.map_or_else(|failure| News::Refused(failure.message), News::Explained))
    }

    fn perform(&self, deed: &Deed) -> Result<(), Ended> {
        let answer = self.ask::<serde_json::Value>(&deed.request());
        self.tell(answer.map_or_else(|failure| News::Refused(failure.message), |_| News::Done(deed.done())))
    }

    /// One answer of a running agent.
    fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<Box<T>, Failure> {
        let away = || Failure::new(ExitCode::NoAgent, "what is attached stays in force and goes on banning");
        let value = ask(&self.paths, request)?.ok_or_else(away)?.next_reply()?.ok_or_else(away)?;
        serde_json::from_value(value).map(Box::new).map_err(|error| {
            let message = format!("its answer is not understood ({error}); is it of another version?");
            Failure::new(ExitCode::Failed, message)
        })
    }

    /// Follows the events, of one agent after the other.
    fn follow(&self) {
        let mut last = Timestamp { unix_ms: clock::wall().unix_ms.saturating_sub(PAST.as_millis() as i64) };
        while self.follow_one(&mut last).is_ok() {
            thread::sleep(AWAY_PAUSE);
        }
    }

    fn follow_one(&self, last: &mut Timestamp) -> Result<(), Ended> {
        let since_ms = clock::wall().unix_ms.saturating_sub(last.unix_ms).max(0);
        // A second more: what was told before is not shown twice.
        let since_seconds = u64::try_from(since_ms / 1000 + 1).ok();
        let Ok(Some(mut replies)) = ask(&self.paths, &Request::Events { since_seconds, follow: true }) else {
            return Ok(());
        };
        while let Ok(Some(value)) = replies.next_reply() {
            let Ok(record) = serde_json::from_value::<Record>(value) else { continue };
            *last = record.time.max(*last);
            self.tell(News::Record(Box::new(record)))?;
        }
        Ok(())
    }

    fn tell(&self, news: News) -> Result<(), Ended> {
        self.news.send(news).map_err(|_| Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_asked_for_less_often() {
        let pace = Pace::new(TABLE_EVERY);
        assert_eq!(pace.pause(Duration::from_millis(20)), TABLE_EVERY);
        assert_eq!(pace.pause(Duration::from_secs(1)), Duration::from_secs(10));
    }
}
