//! What changes around the rules in force: addresses of this host, and of lists.

use sip_fw_core::record::{EventName, Record};

use super::agent::Agent;
use super::apply::{InForce, Outcome};
use super::prepare::{self, Compiled};
use crate::clock;
use crate::control::protocol::Failure;
use crate::host::own_addresses;
use crate::lists::{Change, What};

/// A look at the addresses that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recompiling {
    /// It has what is known.
    Current,
    /// Something changed since it began.
    Outdated,
}

impl Agent {
    /// Follows new addresses of this host.
    pub fn follow_own_addresses(&mut self) {
        if self.recompiling.is_none() && own_addresses() != self.in_force.compiled.own {
            self.recompile();
        }
    }

    /// Takes new addresses of lists.
    pub fn lists_changed(&mut self, changes: &[Change]) {
        for change in changes {
            let name = match change.what {
                What::Addresses { .. } | What::WorksAgain { .. } => EventName::RulesApplied,
                What::Trouble { .. } | What::NotKept { .. } => EventName::Degraded,
            };
            self.publisher.tell(Record::new(clock::wall(), name).because(change.to_string()));
        }
        if changes.iter().any(|change| matches!(change.what, What::Addresses { .. })) {
            self.recompile();
        }
    }

    /// Compiles the configuration in force with the addresses of now, beside the loop, one at a time.
    pub fn recompile(&mut self) {
        if self.recompiling.is_some() {
            self.recompiling = Some(Recompiling::Outdated);
            return;
        }
        self.recompiling = Some(Recompiling::Current);
        let configuration = self.configuration;
        let compiling = prepare::compile(self.config.clone(), self.lists.snapshot(), self.next_generation());
        let outcomes = self.outcomes.clone();
        drop(tokio::spawn(async move {
            let compiled = compiling.await;
            // Fails only at the agent's end.
            let _ = outcomes.send(Outcome::Recompiled { configuration, compiled }).await;
        }));
    }

    /// Puts the configuration in force with other addresses, if it is still the one in force.
    pub fn recompiled(&mut self, configuration: u64, compiled: Result<Compiled, Failure>) {
        let is_outdated = self.recompiling.take() == Some(Recompiling::Outdated);
        // A trial that is over now was the last configuration.
        let ended = self.end_trial();
        let is_current = self.configuration == configuration;
        let compiled = ended.map_err(Failure::from).and(compiled);
        if is_current && let Err(failure) = compiled.and_then(|compiled| self.replace_addresses(compiled)) {
            let reason = format!("new addresses of lists are not in force: {failure}");
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(reason));
        }
        if is_outdated || !is_current {
            self.recompile();
        }
    }

    fn replace_addresses(&mut self, compiled: Compiled) -> Result<(), Failure> {
        match &self.waiting {
            Some(_) => self.kernel.tables.replace_tentative(&compiled.loaded)?,
            None => self.kernel.tables.put_in_force(&compiled.loaded)?,
        }
        let text = std::mem::take(&mut self.in_force.text);
        self.in_force = InForce { text, compiled };
        self.matches.forget();
        Ok(())
    }
}
