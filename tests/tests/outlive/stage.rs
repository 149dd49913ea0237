//! A protected registrar, guessers that are banned one after the other, and a reboot without one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::family::{WORLD_FIRST, source_name};
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Host, Policy, Scene, require_agent};

/// Failures that ban.
pub const THRESHOLD: usize = 5;
/// A guesser that hears nothing for so long is banned, or the machine is very busy: it says which.
const SILENCE: Duration = Duration::from_millis(700);
/// Guesses that a banned one goes on with.
const SHOUTS: u32 = 5;

/// Guessers at work one after the other, each in a network of its own: neighbours are banned together.
const GUESSERS: u16 = 120;

/// Bans that outlast a test at the first step.
pub fn long_bans() -> Policy {
    Policy { ladder: vec!["1h", "1d"], ..Policy::default() }
}

/// A registrar behind sip-fw.
pub fn protected(policy: &Policy) -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    Some((registrar, Scene::protect(binary, bed, policy).unwrap()))
}

/// A guesser at an address of the attacker.
pub fn guesser_at(scene: &Scene, from: IpAddr, family: Family) -> Guesser {
    let pbx = scene.bed.pbx.sip(family);
    guesser(&scene.bed.attacker, from, pbx, "1000")
}

fn guesser(host: &Host, from: IpAddr, pbx: SocketAddr, user: &str) -> Guesser {
    Guesser::new(host, from, pbx, Transport::Udp, user, NonceHabit::Reuse).unwrap().patience(SILENCE)
}

/// Guesses until nobody answers any more.
pub fn guess_until_banned(guesser: &mut Guesser) -> u64 {
    let passwords: Vec<_> = (0..20).map(|n| format!("{n:04}")).collect();
    let (refused, last) = guesser.guess_all(passwords.iter().map(String::as_str));
    assert_eq!(last, Guess::Silence);
    refused
}

/// Sends more guesses and waits until they are on the cable.
pub fn shout(scene: &Scene, guesser: &mut Guesser, from: IpAddr) {
    let before = scene.sent_by(from);
    (0..SHOUTS).for_each(|n| guesser.shout(&format!("{n:05}")));
    scene.wait_until_sent(from, before + u64::from(SHOUTS));
}

/// What a reboot does to the kernel: links and maps are gone. The agent must have ended.
pub fn reboot(agent: &Agent, host: &Host) {
    std::fs::remove_dir_all(agent.pins()).unwrap();
    agent.wait_until_off(host).unwrap();
}

/// Guessers at one address after the other, each until it is banned and a little longer.
pub struct Wave {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU16>,
    thread: Option<JoinHandle<()>>,
}

impl Wave {
    /// Begins at the first address.
    pub fn start(scene: &Scene, family: Family) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU16::new(0)));
        let carrier = &scene.bed.carrier;
        // The way to the world ends at the carrier: there the world begins, too.
        let world = "route add local 10.98.128.0/17 dev lo\nroute add local fd98:8000::/17 dev lo\n";
        carrier.namespace().ip_batch(world).unwrap();
        let pbx = scene.bed.pbx.sip(family);
        // One user from many sources would be told and banned sooner.
        let at = |n: u16| guesser(carrier, source(family, n), pbx, &format!("{}", 2000 + n));
        let mut guessers: Vec<_> = (0..GUESSERS).rev().map(at).collect();
        let thread = thread::spawn({
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some(mut guesser) = guessers.pop()
                {
                    let _ = guess_until_banned(&mut guesser);
                    (0..SHOUTS).for_each(|n| guesser.shout(&format!("{n:05}")));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { stop, done, thread: Some(thread) }
    }

    /// Ends with the guesser at work; gives the sources that were tried.
    pub fn end(mut self, family: Family) -> Vec<IpAddr> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        (0..self.done.load(Ordering::Relaxed)).map(|n| source(family, n)).collect()
    }

    /// Waits until so many sources more are done.
    pub fn wait_for_more(&self, count: u16) {
        let wanted = self.done.load(Ordering::Relaxed) + count;
        wait_for("more guessers", 4 * PATIENCE, || self.done.load(Ordering::Relaxed) >= wanted).unwrap();
    }
}

fn source(family: Family, n: u16) -> IpAddr {
    match family {
        Family::V4 => family.address(WORLD_FIRST + n, 1),
        Family::V6 => family.world(n),
    }
}

/// Every source failed as often as it may and not once more, and is banned.
pub fn assert_all_banned(scene: &Scene, sources: &[IpAddr]) {
    assert!(!sources.is_empty());
    let names: Vec<_> = sources.iter().map(|source| source_name(*source)).collect();
    for source in sources {
        scene.assert_silenced_after(*source, THRESHOLD);
    }
    let mut missing = Vec::new();
    let all = wait_for("all bans", PATIENCE, || {
        let bans = scene.agent.bans().unwrap_or_default();
        missing = names.iter().filter(|name| !bans.iter().any(|ban| ban.source == **name)).collect();
        missing.is_empty()
    });
    assert!(all.is_ok(), "no ban of {missing:?}");
}
