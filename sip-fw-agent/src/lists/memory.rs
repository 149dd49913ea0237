//! What is known of lists at one moment, for configurations to come.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ask::{Asked, Plan, Tools};
use super::known::{Fault, Wanted};
use super::pace::jittered;
use super::prepare::{self, Known, Prepared, Unreadable, asked};
use crate::config::{FeedRules, Origin};

/// What is known of lists at one moment.
#[derive(Clone, Debug)]
pub struct Memory {
    pub(super) tools: Tools,
    pub(super) wanted: Wanted,
    pub(super) known: HashMap<Origin, Known>,
}

impl Memory {
    /// Before a configuration is put in force: reads its files and countries, and takes the addresses of names and feeds
    /// from memory or from disk. Those that were never known are asked for side by side, for at most `patience` in all;
    /// who has not answered by then has no addresses and says so in [`super::Entry::trouble`]. Touches nothing that is in
    /// force.
    ///
    /// # Errors
    ///
    /// Every list that cannot be read, and every wrong line of one.
    pub async fn prepare(self, wanted: Wanted, patience: Duration) -> Result<Prepared, Vec<Fault>> {
        let remembered = self.remembered(&wanted);
        prepare::prepare(wanted, remembered, &self.tools, patience, Unreadable::Refused).await
    }

    /// The same for a configuration that was in force before: a list that cannot be read any more has no addresses and says so
    /// in [`super::Entry::trouble`].
    pub async fn prepare_again(self, wanted: Wanted, patience: Duration) -> Prepared {
        let remembered = self.remembered(&wanted);
        let prepared = prepare::prepare(wanted, remembered, &self.tools, patience, Unreadable::Empty).await;
        prepared.unwrap_or_default()
    }

    /// What is known of names and feeds that another configuration asks for, too.
    fn remembered(&self, wanted: &Wanted) -> HashMap<Origin, Known> {
        let mut remembered = HashMap::new();
        for asked in asked(wanted) {
            let origin = asked.origin();
            let Some(known) = self.known.get(&origin).filter(|known| known.entry.as_of.is_some()) else { continue };
            let mut known = known.clone();
            if let Asked::Feed(rules) = &asked {
                let is_same = |old: &&FeedRules| old.name == rules.name && is_same_list(old, rules);
                if !self.wanted.feeds.iter().any(|old| is_same(&old)) {
                    continue;
                }
                if let Some(plan) = &mut known.plan {
                    plan.due = plan.due.min(Instant::now() + jittered(rules.interval, &rules.name));
                }
            } else if self.wanted.dns_servers != wanted.dns_servers {
                // Others may know better.
                known.plan = Some(Plan::now());
            }
            remembered.insert(origin, known);
        }
        remembered
    }
}

fn is_same_list(old: &FeedRules, new: &FeedRules) -> bool {
    (&old.url, old.format, old.max_bytes) == (&new.url, new.format, new.max_bytes)
}
