//! Mutated and random frames through the loaded programs and through the host model: no frame gives an action, a counter or, in
//! the end, a table entry other than the model's.
//!
//! `SIP_FW_FUZZ_FRAMES` says how many frames, `SIP_FW_FUZZ_SEED` with which seed: the same seed makes the same frames.

mod damage;
mod talk;

use std::env;
use std::fmt::Debug;

use sip_fw_agent::kernel::Action;
use sip_fw_common::abi::Rate;
use sip_fw_common::reason::Reason;
use sip_fw_core::rules::{Action as Fate, Rule};
use sip_fw_e2e::model::Model;
use sip_fw_e2e::random::Random;

use crate::rig::{MINUTE, Rig, SECOND};
use talk::Talk;

const FRAMES: u64 = 32_000;
const SEED: u64 = 0x5eed_f422;
/// Frames of one rule set and one set of tables: far fewer than the tables hold.
const EPISODE: u64 = 4000;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: allowed is a number")))
}

#[test]
fn no_frame_gives_what_the_model_does_not() {
    let (frames, seed) = (number("SIP_FW_FUZZ_FRAMES", FRAMES), number("SIP_FW_FUZZ_SEED", SEED));
    println!("SIP_FW_FUZZ_SEED={seed} SIP_FW_FUZZ_FRAMES={frames}");
    let mut seen = [[0_u64; Reason::SLOTS as usize]; 2];
    for episode in 0..frames.div_ceil(EPISODE) {
        let length = EPISODE.min(frames - episode * EPISODE);
        run(seed, episode, length, &mut seen);
    }
    for (way, counts) in ["arriving", "leaving"].iter().zip(seen) {
        let named = Reason::ALL.iter().zip(counts).filter(|(_, count)| *count > 0);
        let shown: Vec<String> = named.map(|(reason, count)| format!("{} {count}", reason.name())).collect();
        println!("{way}: {}", shown.join(", "));
    }
    if frames >= FRAMES {
        for reason in EVERY_ROUND {
            let count: u64 = seen.iter().map(|counts| counts[reason as usize]).sum();
            assert!(count > 0, "{reason:?} never came: the frames miss what they are for");
        }
    }
}

/// What a round as long as usual must come to.
const EVERY_ROUND: [Reason; 23] = [
    Reason::NotIp,
    Reason::NoService,
    Reason::Fragment,
    Reason::Malformed,
    Reason::Banned,
    Reason::WouldDrop,
    Reason::Opaque,
    Reason::Request,
    Reason::Retransmission,
    Reason::AckOrCancel,
    Reason::ResponseIn,
    Reason::KeepAlive,
    Reason::Unparsed,
    Reason::Denied,
    Reason::Trusted,
    Reason::OutUnmatched,
    Reason::Challenge,
    Reason::Success,
    Reason::FailureProven,
    Reason::FailureUnproven,
    Reason::Stale,
    Reason::Neutral,
    Reason::Flood,
];

fn run(seed: u64, episode: u64, length: u64, seen: &mut [[u64; Reason::SLOTS as usize]; 2]) {
    let mut random = Random::new((seed ^ episode.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
    let mut rig = rig(&mut random);
    let mut model = Model::new(&rig.plan, &rig.live);
    let mut talk = Talk::new();
    let mut now_ns = 1000 * SECOND;
    for round in 0..length {
        now_ns += random.pick(&[0, SECOND / 100, SECOND, 7 * SECOND, MINUTE]);
        rig.live.fixed_now_ns = now_ns;
        rig.run.tables.write_live(&rig.live).unwrap();
        model.set_now(now_ns);
        let (arriving, frame) = talk.frame(&mut random);
        let (found, expected) = if arriving {
            let expected = model.arrive(&frame);
            let action = if expected.drops() { Action::Drop } else { Action::Pass };
            (rig.arrive(&frame), (action, expected))
        } else {
            ((Action::Pass, rig.leave(&frame)), (Action::Pass, model.leave(&frame)))
        };
        let way = if arriving { "arriving" } else { "leaving" };
        assert_eq!(found, expected, "seed {seed}, episode {episode}, {way} frame {round}: {}", shown(&frame));
        seen[usize::from(!arriving)][found.1 as usize] += 1;
        // The ring of events would run full, which is counted.
        if round % 256 == 0 {
            rig.events();
        }
    }
    same_tables(&rig, &model, &format!("seed {seed}, episode {episode}, after {length} frames"));
}

/// The programs with settings, services and access rules of this episode.
fn rig(random: &mut Random) -> Rig {
    let [observe, scope_host] = [random.once_in(3), random.once_in(4)];
    let known_peer_ns = random.pick(&[0, 10 * MINUTE]);
    let threshold = random.pick(&[1, 2, 5]);
    let mut rig = Rig::with(|settings| {
        settings.observe = u32::from(observe);
        settings.scope_host = u32::from(scope_host);
        settings.known_peer_ns = known_peer_ns;
        settings.threshold = threshold;
    });
    let service = &mut rig.plan.services[0];
    service.refusal = random.below(3) as u8;
    if random.once_in(4) {
        service.default = Fate::Deny;
    }
    if random.once_in(3) {
        service.rates = [Rate { interval_us: 600_000_000, burst: 2 }, Rate { interval_us: 200_000_000, burst: 4 }];
    }
    let rules = (0..random.below(6)).map(|_| rule(random)).collect();
    rig.apply_rules(rules);
    rig
}

/// Of the peers' addresses and what lies beside them.
fn rule(random: &mut Random) -> Rule {
    let nets =
        ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.128/25", "2001:db8:1::/48", "2001:db8:2::/47", "::/0", "0.0.0.0/0"];
    let to = random.pick(&[None, Some(0), Some(1)]);
    Rule {
        nets: (0..random.below(3)).map(|_| random.pick(&nets).parse().unwrap()).collect(),
        learned: random.once_in(4),
        to: to.map(|service| vec![service]),
        action: random.pick(&[Fate::Allow, Fate::Deny, Fate::Trust]),
    }
}

fn same_tables(rig: &Rig, model: &Model, place: &str) {
    let tables = &rig.run.tables;
    for (source, state) in model.sources() {
        same(tables.source(source).unwrap().as_ref(), state, place);
    }
    for (source, ban) in model.bans() {
        same(tables.ban(source).unwrap().as_ref(), ban, place);
    }
    for (key, transaction) in model.transactions() {
        same(rig.run.transaction(key).unwrap().as_ref(), transaction, place);
    }
    for (hash, nonce) in model.nonces() {
        same(rig.run.nonce(hash).unwrap().as_ref(), nonce, place);
    }
    assert_eq!(tables.sources().unwrap().len(), model.sources().count(), "{place}: sources");
    assert_eq!(tables.bans().unwrap().len(), model.bans().count(), "{place}: bans");
}

fn same<T: Debug + PartialEq>(found: Option<&T>, expected: &T, place: &str) {
    assert_eq!(found, Some(expected), "{place}");
}

fn shown(frame: &[u8]) -> String {
    let hex: Vec<String> = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}\n{}", hex.concat(), String::from_utf8_lossy(frame).escape_debug())
}
