//! The scenarios, one file per subject.

mod calls;
mod dialling;
mod enumeration;
mod flood;
mod forged;
mod guessing;
mod habits;
mod insider;
mod office;
mod phones;
mod scanner;
mod slow;
mod streams;
mod trunk;
mod unproven;

use super::cast::{Cast, Scenario};
use super::dialect::Dialect;
use super::peer::Way;
use super::schedule::Speed;

/// All of them.
pub fn all() -> Vec<Scenario> {
    let parts = [
        office::all(),
        phones::all(),
        calls::all(),
        trunk::all(),
        guessing::all(),
        habits::all(),
        insider::all(),
        unproven::all(),
        slow::all(),
        streams::all(),
        enumeration::all(),
        dialling::all(),
        scanner::all(),
        flood::all(),
        forged::all(),
    ];
    parts.into_iter().flatten().collect()
}

/// One scenario for every PBX and way.
fn everywhere(what: &str, script: impl Fn(&mut Cast<'_>) + Copy + 'static) -> Vec<Scenario> {
    over(what, &Dialect::EVERY, &Way::EVERY, script)
}

/// One scenario for each of these PBXs and ways.
fn over(
    what: &str,
    dialects: &[Dialect],
    ways: &[Way],
    script: impl Fn(&mut Cast<'_>) + Copy + 'static,
) -> Vec<Scenario> {
    let pairs = dialects.iter().flat_map(|dialect| ways.iter().map(move |way| (*dialect, *way)));
    pairs.map(|(dialect, way)| Scenario::new(what, "", dialect, way, script)).collect()
}

/// One scenario for every PBX, way and speed.
fn everywhere_at_every_speed(what: &str, script: impl Fn(&mut Cast<'_>, Speed) + Copy + 'static) -> Vec<Scenario> {
    at_speeds(what, &Speed::EVERY, script)
}

/// One scenario for every PBX and way, at each of these paces: their name, and the nanoseconds between two steps.
fn everywhere_at_paces(
    what: &str,
    paces: &[(&str, u64)],
    script: impl Fn(&mut Cast<'_>, u64) + Copy + 'static,
) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for dialect in Dialect::EVERY {
        for way in Way::EVERY {
            for (name, interval) in paces.iter().copied() {
                let script = move |cast: &mut Cast<'_>| script(cast, interval);
                scenarios.push(Scenario::new(what, name, dialect, way, script));
            }
        }
    }
    scenarios
}

/// One scenario for every PBX and way, at each of these speeds.
fn at_speeds(what: &str, speeds: &[Speed], script: impl Fn(&mut Cast<'_>, Speed) + Copy + 'static) -> Vec<Scenario> {
    over_at_speeds(what, &Dialect::EVERY, &Way::EVERY, speeds, script)
}

/// One scenario for each of these PBXs and ways, at each of these speeds.
fn over_at_speeds(
    what: &str,
    dialects: &[Dialect],
    ways: &[Way],
    speeds: &[Speed],
    script: impl Fn(&mut Cast<'_>, Speed) + Copy + 'static,
) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for dialect in dialects {
        for way in ways {
            for speed in speeds.iter().copied() {
                let script = move |cast: &mut Cast<'_>| script(cast, speed);
                scenarios.push(Scenario::new(what, speed.name(), *dialect, *way, script));
            }
        }
    }
    scenarios
}
