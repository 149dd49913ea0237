//! The service manager: what it is told, and the watchdog that it wants fed. A manager that does not read what it is told delays
//! nothing; libsystemd's own notify waits for it.

use std::ffi::OsStr;
use std::future::pending;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use libsystemd::daemon::{NotifyState, watchdog_enabled};
use nix::time::{ClockId, clock_gettime};
use tokio::time::{Instant, sleep_until};

/// The watchdog is fed so many times in its interval: a beat may come late, or be lost, without harm.
const BEATS: u32 = 3;

/// The agent's end.
#[derive(Debug, Default)]
pub struct Manager {
    /// None where nobody asked to be told.
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Watchdog>,
    status: String,
}

#[derive(Debug)]
struct Watchdog {
    every: Duration,
    due: Instant,
}

impl Manager {
    /// The manager that the environment names.
    #[must_use]
    pub fn from_environment() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| open(&name).ok());
        let every = socket.as_ref().and_then(|_| watchdog_enabled(false)).map(|interval| interval / BEATS);
        let watchdog = every.filter(|every| !every.is_zero()).map(|every| Watchdog { every, due: Instant::now() });
        Self { socket, watchdog, status: String::new() }
    }

    /// The agent protects, or a reload is over.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// A reload begins.
    pub fn reloading(&self) {
        // The exact clock: the coarse one may lie before the signal, and then systemd goes on waiting.
        let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else { return };
        let usec = Duration::from(now).as_micros();
        self.tell(&[NotifyState::Reloading, NotifyState::Other(format!("MONOTONIC_USEC={usec}"))]);
    }

    /// The agent ends.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// How the agent is, in a line for people.
    pub fn status(&mut self, status: String) {
        if self.status != status {
            self.tell(&[NotifyState::Status(status.clone())]);
            self.status = status;
        }
    }

    /// Feeds the watchdog when it is time. Cancel safe.
    pub async fn beat(&mut self) {
        let Some(Watchdog { every, due }) = &mut self.watchdog else { return pending().await };
        sleep_until(*due).await;
        *due = Instant::now() + *every;
        self.tell(&[NotifyState::Watchdog]);
    }

    /// What cannot be delivered now is not delivered.
    fn tell(&self, states: &[NotifyState]) {
        let Some((socket, address)) = &self.socket else { return };
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        let _ = socket.send_to_addr(lines.as_bytes(), address);
    }
}

/// A path, or with an @ in front a name in the abstract namespace.
fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managed(name: &str, every: Option<Duration>) -> (UnixDatagram, Manager) {
        let name = format!("sip-fw-{name}-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let socket = open(OsStr::new(&format!("@{name}"))).unwrap();
        let watchdog = every.map(|every| Watchdog { every, due: Instant::now() });
        (listener, Manager { socket: Some(socket), watchdog, status: String::new() })
    }

    fn heard(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let len = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    }

    #[test]
    fn what_is_told() {
        let (listener, mut manager) = managed("told", None);
        manager.ready();
        assert_eq!(heard(&listener), "READY=1\n");
        let clock = || Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_micros();
        let before = clock();
        manager.reloading();
        let said = heard(&listener);
        let usec: u128 = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end().parse().unwrap();
        assert!((before..=clock()).contains(&usec), "{said}");
        for status in ["a", "a", "b"] {
            manager.status(status.to_owned());
        }
        manager.stopping();
        assert_eq!([(); 3].map(|()| heard(&listener)), ["STATUS=a\n", "STATUS=b\n", "STOPPING=1\n"]);
    }

    #[tokio::test]
    async fn the_watchdog_is_fed_at_its_time() {
        let every = Duration::from_millis(20);
        let (listener, mut manager) = managed("fed", Some(every));
        let began = Instant::now();
        for beats in 0..3 {
            manager.beat().await;
            assert!(began.elapsed() >= every * beats);
            assert_eq!(heard(&listener), "WATCHDOG=1\n");
        }
        let mut nobody = Manager::default();
        assert!(tokio::time::timeout(every, nobody.beat()).await.is_err(), "nobody asked for it");
    }

    #[test]
    fn a_manager_that_does_not_read_delays_nothing() {
        let (_listener, manager) = managed("stuck", None);
        (0..10_000).for_each(|_| manager.ready());
    }
}
