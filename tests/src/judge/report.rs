//! What came out: a row per scenario, and the totals.

use std::collections::BTreeMap;

use serde::Serialize;

use super::account::{Account, Judgement};

/// What became of one scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario.
    pub name: String,
    /// Its sources.
    pub accounts: Vec<Account>,
}

/// The totals; judgements count sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Scenarios that were played.
    pub scenarios: usize,
    /// Good sources that were banned, shunned, or lost a packet.
    pub good_banned: usize,
    /// Sources that were banned for what others sent in their name.
    pub forged_banned: usize,
    /// Attackers that went on.
    pub missed: usize,
}

/// Everything that came out.
#[derive(Debug, Default)]
pub struct Report {
    /// The totals.
    pub totals: Totals,
    /// What is wrong, for people.
    pub faults: Vec<String>,
}

impl Outcome {
    /// Of a scenario that was played.
    pub fn new(name: &str, accounts: Vec<Account>) -> Self {
        Self { name: name.to_owned(), accounts }
    }

    /// Its row of the table.
    pub fn row(&self) -> String {
        let Self { name, accounts } = self;
        let expected = counted(accounts.iter().map(|account| account.expect.name()));
        let decided = counted(accounts.iter().map(|account| account.decided.name()));
        let let_through: u64 = accounts.iter().map(|account| account.let_through).sum();
        let is_right = accounts.iter().all(|account| account.judge() == Judgement::Right);
        let mark = if is_right { "" } else { "  WRONG" };
        format!("{name:<72} {:>7}  {expected:<22} {decided:<22} {let_through:>11}{mark}", accounts.len())
    }
}

impl Report {
    /// The names of the columns.
    pub fn head() -> String {
        format!("{:<72} {:>7}  {:<22} {:<22} {:>11}", "SCENARIO", "SOURCES", "EXPECTED", "DECIDED", "LET THROUGH")
    }

    /// Adds a scenario.
    pub fn add(&mut self, outcome: Outcome) {
        self.totals.scenarios += 1;
        for account in &outcome.accounts {
            match account.judge() {
                Judgement::Right => {}
                Judgement::GoodBanned => self.totals.good_banned += 1,
                Judgement::ForgedBanned => self.totals.forged_banned += 1,
                Judgement::Missed => self.totals.missed += 1,
            }
            self.faults.extend(account.fault().map(|fault| format!("{}: {fault}", outcome.name)));
        }
    }

    /// Whether everybody got what he deserves.
    pub const fn is_right(&self) -> bool {
        let Totals { good_banned, forged_banned, missed, .. } = self.totals;
        good_banned == 0 && forged_banned == 0 && missed == 0
    }
}

/// `2 banned, 60 good`.
fn counted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    parts.join(", ")
}
