//! What holds for every sequence of inputs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::num::NonZeroUsize;

use common::{SECOND_NS, at, event, rules};
use ipnet::IpNet;
use proptest::prelude::*;
use sip_fw_common::abi::{Ban, Event, EventKind, Evidence, Shun, Source};
use sip_fw_core::controller::{BanLength, Command, Controller, Input};
use sip_fw_core::guard::Guard;
use sip_fw_core::ledger::Ledger;
use sip_fw_core::limits::{SHUN_NS, SHUN_TOTAL_NS};
use sip_fw_core::source::{Ipv6Prefix, Target};
use sip_fw_core::text::pack;

const LEDGER_SOURCES: NonZeroUsize = NonZeroUsize::new(4).unwrap();

#[derive(Clone, Debug)]
enum Step {
    Kernel { kind: u8, source: u8, user: u8, evidence: u8, method: u8, known: u8 },
    Crowd { source: u8, spared: bool },
    Tick,
    Ban { source: u8, length: Option<u16> },
    Unban { source: u8 },
}

fn step() -> impl Strategy<Value = (u16, Step)> {
    let step = prop_oneof![
        8 => (0..12u8, 0..8u8, 0..20u8, 0..4u8, 0..6u8, 0..4u8).prop_map(
            |(kind, source, user, evidence, method, known)| Step::Kernel { kind, source, user, evidence, method, known }
        ),
        1 => (0..8u8, any::<bool>()).prop_map(|(source, spared)| Step::Crowd { source, spared }),
        2 => Just(Step::Tick),
        1 => (0..8u8, any::<Option<u16>>()).prop_map(|(source, length)| Step::Ban { source, length }),
        1 => (0..8u8).prop_map(|source| Step::Unban { source }),
    ];
    (prop_oneof![0..5u16, 0..2000u16], step)
}

fn source(number: u8) -> Source {
    Source::v4(0xcb00_7100 | u32::from(number))
}

/// As the agent hands it to the controller.
fn told(event: Event, found: Option<&Ban>) -> Input {
    let judged = [EventKind::AuthFailure, EventKind::Refused].map(|kind| kind as u8).contains(&event.kind);
    if judged && event.evidence == Evidence::Proven as u8 {
        return Input::Proven { event, found: found.copied() };
    }
    Input::Kernel(event)
}

/// Runs the steps against a table kept by obeying the commands; checks each command on the way.
fn run(steps: &[(u16, Step)]) -> Vec<Command> {
    let mut controller = Controller::with_ledger(rules(), Ledger::with_sizes(LEDGER_SOURCES, LEDGER_SOURCES));
    let mut table: HashMap<Source, Ban> = HashMap::new();
    let mut shuns: HashMap<Source, Shun> = HashMap::new();
    let mut prefixes: HashMap<IpNet, Ban> = HashMap::new();
    let mut all = Vec::new();
    let mut seconds = 1;
    for (pause, step) in steps {
        seconds += u64::from(*pause);
        let now = at(seconds);
        let input = match step {
            Step::Kernel { kind, source: number, user, evidence, method, known } => told(
                Event {
                    kind: *kind,
                    evidence: *evidence,
                    method: *method,
                    known: *known,
                    time_ns: now.kernel_ns,
                    until_ns: if *kind == EventKind::Ban as u8 { now.kernel_ns + SECOND_NS } else { 0 },
                    user: pack(&format!("{}4420399677", user)),
                    ..event(EventKind::Ban, source(*number), seconds)
                },
                table.get(&source(*number)),
            ),
            Step::Crowd { source: number, spared } => match controller.crowded(source(*number)) {
                Some(prefix) => Input::Crowd { prefix, spared: spared.then(|| "a known peer".to_owned()) },
                None => continue,
            },
            Step::Tick => {
                let mut bans: Vec<_> = table.iter().map(|(source, ban)| (*source, *ban)).collect();
                bans.sort_by_key(|(source, _)| *source);
                let prefix_bans = prefixes.iter().map(|(prefix, ban)| (*prefix, *ban)).collect();
                let mut held: Vec<_> = shuns.iter().map(|(source, shun)| (*source, *shun)).collect();
                held.sort_by_key(|(source, _)| *source);
                Input::Tick { bans, prefix_bans, shuns: held }
            }
            Step::Ban { source: number, length } => Input::Ban {
                admitted: Guard::default().admit(Target::Source(source(*number)), Ipv6Prefix::DEFAULT).unwrap(),
                length: length.map_or(BanLength::Ladder, |seconds| BanLength::Nanos(u64::from(seconds) * SECOND_NS)),
                reason: None,
                found: table.get(&source(*number)).copied(),
            },
            Step::Unban { source: number } => match table.get(&source(*number)) {
                Some(found) => Input::Unban { target: Target::Source(source(*number)), found: *found },
                None => continue,
            },
        };
        let commands = controller.handle(input, now);
        for command in &commands {
            match command {
                Command::PutBan { source, ban } => {
                    if let Some(old) = table.get(source).filter(|old| old.until_ns > now.kernel_ns) {
                        assert!(ban.until_ns >= old.until_ns, "a deadline went back");
                        assert_eq!(ban.since_ns, old.since_ns);
                    }
                    table.insert(*source, *ban);
                }
                Command::LiftBan { source } => {
                    assert!(matches!(step, Step::Unban { .. }));
                    if let Some(ban) = table.get_mut(source) {
                        ban.until_ns = now.kernel_ns;
                        ban.level = 0;
                    }
                }
                Command::ForgetBan { source } => {
                    let ban = table.remove(source);
                    assert!(ban.is_some_and(|ban| ban.until_ns <= now.kernel_ns), "an active ban was forgotten");
                }
                Command::PutPrefixBan { prefix, ban } => {
                    assert!(matches!(step, Step::Crowd { spared: false, .. }), "nobody else asks for prefixes");
                    prefixes.insert(*prefix, *ban);
                }
                Command::RemovePrefixBan { prefix } => {
                    let ban = prefixes.remove(prefix);
                    assert!(ban.is_some_and(|ban| ban.until_ns <= now.kernel_ns), "an active ban was removed");
                }
                Command::PutShun { source, shun } => {
                    assert!(shun.until_ns > now.kernel_ns && shun.until_ns - now.kernel_ns <= SHUN_NS);
                    assert!(shun.until_ns - shun.since_ns <= SHUN_TOTAL_NS, "no shun lasts");
                    if let Step::Kernel { kind, known, evidence, .. } = step {
                        assert_eq!(*known, 0, "a known peer was shunned");
                        let proven = *evidence == Evidence::Proven as u8 && *kind != EventKind::Scanner as u8;
                        assert!(!proven, "what is proven bans");
                    }
                    shuns.insert(*source, *shun);
                }
                Command::RemoveShun { source } => {
                    let shun = shuns.remove(source);
                    assert!(shun.is_some_and(|shun| shun.until_ns <= now.kernel_ns), "a shun ended early");
                }
                Command::Report(_) => {}
            }
        }
        assert!(controller.remembered() <= LEDGER_SOURCES.get());
        all.extend(commands);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deadlines_determinism_and_bounds(steps in prop::collection::vec(step(), 0..60)) {
        prop_assert_eq!(run(&steps), run(&steps));
    }

    #[test]
    fn times_survive_their_text(unix_ms in 0..253_402_300_799_999_i64) {
        let time = sip_fw_core::time::Timestamp { unix_ms };
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn no_text_is_a_target_that_breaks_anything(text in ".{0,60}") {
        if let Ok(target) = Ipv6Prefix::DEFAULT.parse(&text) {
            prop_assert_eq!(Ipv6Prefix::DEFAULT.parse(&Ipv6Prefix::DEFAULT.show_target(target)), Ok(target));
        }
        let _ = sip_fw_core::duration::parse(&text);
    }
}
