//! What the agent tells the service manager: when it protects, how it is, that its loop turns, and when a reload is over.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Agent, Bed, Policy, require_agent};

/// WatchdogSec of the unit, so short that the test need not wait.
const WATCHDOG: Duration = Duration::from_millis(600);

/// A service manager: the end of the socket where the agent's messages come.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<(Instant, String)>,
}

impl Manager {
    fn hear(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            self.heard.push((Instant::now(), text));
        }
    }

    /// Waits until what was heard satisfies a condition.
    #[track_caller]
    fn wait(&mut self, what: &str, heard: impl Fn(&[(Instant, String)]) -> bool) {
        let come = wait_for(what, PATIENCE, || {
            self.hear();
            heard(&self.heard)
        });
        assert!(come.is_ok(), "{what}: {:?}", self.heard);
    }

    fn count(&self, message: &str) -> usize {
        self.heard.iter().filter(|(_, text)| text.starts_with(message)).count()
    }
}

#[test]
fn ready_status_watchdog_reload_and_end() {
    let Some((_bed, mut manager, mut agent)) = managed() else { return };
    let said = |message: &'static str| {
        move |heard: &[(Instant, String)]| heard.iter().any(|(_, text)| text.starts_with(message))
    };
    manager.wait("READY", said("READY=1\n"));
    manager.wait("STATUS", said("STATUS=mode enforce; 0 bans, 0 shuns; pbx0 "));
    let beats = |heard: &[(Instant, String)]| heard.iter().filter(|(_, text)| text == "WATCHDOG=1\n").count();
    manager.wait("ten beats", |heard| beats(heard) >= 10);

    assert_eq!(agent.call(&["ban", "192.0.2.77"]).unwrap().code, 0);
    manager.wait("the ban in STATUS", said("STATUS=mode enforce; 1 bans"));

    let now_usec = || Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_micros();
    let before = now_usec();
    agent.reconfigure("mode = \"enforce\"", "mode = \"observe\"").unwrap();
    agent.signal(Signal::SIGHUP);
    manager.wait("the end of the reload", |heard| heard.iter().filter(|(_, text)| text == "READY=1\n").count() == 2);
    let reloading = manager.heard.iter().position(|(_, text)| text.starts_with("RELOADING=1\n")).unwrap();
    let ready = manager.heard.iter().rposition(|(_, text)| text == "READY=1\n").unwrap();
    assert!(reloading < ready, "{:?}", manager.heard);
    let usec = manager.heard[reloading].1.trim_end().split_once("MONOTONIC_USEC=").unwrap().1.parse::<u128>().unwrap();
    assert!((before..=now_usec()).contains(&usec), "systemd takes no message from before its signal");
    manager.wait("the mode in STATUS", said("STATUS=mode observe; 1 bans"));

    // A reload that is refused is over, too.
    agent.reconfigure("mode = \"observe\"", "mode = \"wat\"").unwrap();
    agent.signal(Signal::SIGHUP);
    manager.wait("the end of the refused reload", |heard| {
        heard.iter().filter(|(_, text)| text == "READY=1\n").count() == 3
    });
    assert_eq!(manager.count("RELOADING=1\n"), 2);

    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait_for_end().unwrap().code, 0);
    manager.wait("STOPPING", said("STOPPING=1\n"));
}

#[test]
fn a_loop_that_is_stuck_feeds_no_watchdog() {
    let Some((_bed, mut manager, agent)) = managed() else { return };
    let beats = |heard: &[(Instant, String)]| heard.iter().filter(|(_, text)| text == "WATCHDOG=1\n").count();
    manager.wait("a beat", |heard| beats(heard) >= 1);
    agent.signal(Signal::SIGSTOP);
    // What was under way is heard before the silence.
    let stopped = Instant::now();
    manager.wait("the watchdog's time to pass", |_| stopped.elapsed() > 2 * WATCHDOG);
    let late = manager.heard.iter().filter(|(at, text)| text == "WATCHDOG=1\n" && *at > stopped + WATCHDOG / 2).count();
    assert_eq!(late, 0, "{:?}", manager.heard);
    let heard = manager.heard.len();
    agent.signal(Signal::SIGCONT);
    manager.wait("beats again", |all| beats(&all[heard..]) >= 2);
}

fn managed() -> Option<(Bed, Manager, Agent)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let mut agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let path = agent.folder().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    agent.set_environment("NOTIFY_SOCKET", path.to_str().unwrap());
    agent.set_environment("WATCHDOG_USEC", &WATCHDOG.as_micros().to_string());
    agent.restart().unwrap();
    Some((bed, Manager { socket, heard: Vec::new() }, agent))
}
