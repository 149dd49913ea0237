//! A scenario: actors, each with its times and what it does then.

use anyhow::Result;

use super::bed::Bed;
use super::dialect::Dialect;
use super::expect::Expect;
use super::firewall::Firewall;
use super::firewall::Refusal;
use super::pbx::Pbx;
use super::peer::{Peer, Way};
use super::report::Outcome;
use super::schedule::Times;

/// A labelled scenario.
pub struct Scenario {
    /// What, with which PBX, how and how fast.
    pub name: String,
    /// How the operator says that the PBX refuses a wrong password.
    pub refusal: Refusal,
    dialect: Dialect,
    way: Way,
    script: Script,
}

/// Engages the actors.
type Script = Box<dyn Fn(&mut Cast<'_>)>;

/// What an actor does at one of its times.
type Step = Box<dyn FnMut(&mut Bed<'_>)>;

/// The actors of a scenario.
pub struct Cast<'a> {
    /// Where they play.
    pub bed: Bed<'a>,
    actors: Vec<Actor>,
}

struct Actor {
    next: Option<u64>,
    times: Times,
    step: Step,
}

impl Scenario {
    /// A scenario with one PBX and one way for all packets; `variant` may be empty.
    pub fn new(
        what: &str,
        variant: &str,
        dialect: Dialect,
        way: Way,
        script: impl Fn(&mut Cast<'_>) + 'static,
    ) -> Self {
        let gap = if variant.is_empty() { "" } else { " " };
        let name = format!("{what}: {} {}{gap}{variant}", dialect.name(), way.name());
        Self { name, refusal: Refusal::Auto, dialect, way, script: Box::new(script) }
    }

    /// The same where the operator says that the PBX refuses a wrong password by a challenge.
    pub fn refusing_by_challenge(mut self) -> Self {
        self.refusal = Refusal::Challenge;
        self
    }

    /// How its packets travel.
    pub const fn way(&self) -> Way {
        self.way
    }

    /// Plays it.
    pub fn play(&self, firewall: &mut Firewall) -> Result<Outcome> {
        firewall.forget()?;
        let start_ns = firewall.now_ns();
        let mut cast = Cast { bed: Bed::new(firewall, Pbx::new(self.dialect), self.way), actors: Vec::new() };
        (self.script)(&mut cast);
        let Cast { mut bed, mut actors } = cast;
        while let Some((at, actor)) = next(&mut actors)
            && !bed.has_failed()
        {
            bed.wait_until(start_ns + at);
            (actor.step)(&mut bed);
            actor.next = actor.times.next();
        }
        Ok(Outcome::new(&self.name, bed.finish()?))
    }
}

impl<'a> Cast<'a> {
    /// Somebody at a site of his own.
    pub fn peer(&mut self, expect: Expect) -> Peer {
        self.bed.peer(expect)
    }

    /// Somebody who does something at these times.
    pub fn actor(&mut self, mut times: Times, step: impl FnMut(&mut Bed<'_>) + 'static) {
        self.actors.push(Actor { next: times.next(), times, step: Box::new(step) });
    }
}

/// Whose turn it is, and when.
fn next(actors: &mut [Actor]) -> Option<(u64, &mut Actor)> {
    actors.iter_mut().filter_map(|actor| Some((actor.next?, actor))).min_by_key(|(at, _)| *at)
}
