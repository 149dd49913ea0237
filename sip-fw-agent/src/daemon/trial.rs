//! A configuration on trial: until it is confirmed, or the one before is in force again.

use std::sync::Arc;

use sip_fw_core::controller::Input;
use sip_fw_core::record::{EventName, Record};

use super::agent::Agent;
use super::apply::InForce;
use super::prepare::Ready;
use crate::clock;
use crate::config::{self, Config};
use crate::control::protocol::Failure;
use crate::control::view::AppliedView;
use crate::exit_code::ExitCode;
use crate::files::replace;
use crate::kernel::{self, KernelError};
use crate::lists::Prepared;

/// A configuration that waits for its confirmation.
pub struct Waiting {
    /// On the programs' clock.
    pub until_ns: u64,
    /// What comes back without it.
    pub before: Before,
}

/// What the agent went by before.
pub struct Before {
    /// The configuration.
    pub config: Arc<Config>,
    /// Its lists.
    pub lists: Prepared,
    /// Its text and its rules.
    pub in_force: InForce,
}

impl From<Ready> for Before {
    fn from(ready: Ready) -> Self {
        let Ready { text, config, prepared, compiled } = ready;
        Self { config, lists: prepared, in_force: InForce { text, compiled } }
    }
}

impl Agent {
    /// Keeps what waits for its confirmation.
    pub fn confirm(&mut self) -> Result<AppliedView, Failure> {
        let Some(waiting) = &self.waiting else {
            return Err(Failure::new(ExitCode::NotFound, "nothing waits for a confirmation"));
        };
        if waiting.until_ns <= kernel::now_ns() {
            return Err(Failure::new(ExitCode::NotFound, "too late: the configuration before is in force again"));
        }
        // The disk comes first: an agent that is killed in between starts with what is confirmed.
        let note = self.keep(&waiting.before.in_force.text);
        self.kernel.tables.confirm_rule_set()?;
        self.waiting = None;
        let mut view = AppliedView::new(&self.in_force.compiled.set);
        view.notes.extend(note);
        self.handle(Input::RulesApplied);
        Ok(view)
    }

    /// Follows the programs back to the configuration before when the time of a trial has passed.
    pub fn end_trial(&mut self) -> Result<(), KernelError> {
        let lapsed = |waiting: &Waiting| waiting.until_ns <= kernel::now_ns();
        let Some(Waiting { until_ns, before }) = self.waiting.take_if(|waiting| lapsed(waiting)) else { return Ok(()) };
        if let Err(error) = self.kernel.tables.put_in_force(&before.in_force.compiled.loaded) {
            // The programs are there already; the next tick tries again.
            self.waiting = Some(Waiting { until_ns, before });
            return Err(error);
        }
        let Before { config, lists, in_force: InForce { text, compiled } } = before;
        self.put(Ready { text, config, prepared: lists, compiled });
        let reason = "not confirmed in time: the configuration before is in force again";
        self.publisher.tell(Record::new(clock::wall(), EventName::RulesApplied).because(reason));
        if let Err(error) = self.state.went_back() {
            let reason = format!("cannot remember that the configuration was not confirmed: {error}");
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(reason));
        }
        // Addresses may have changed since it was compiled.
        self.recompile();
        Ok(())
    }

    /// Refuses while a configuration waits for its confirmation; what waited too long is ended first.
    pub fn end_trial_in_time(&mut self) -> Result<(), Failure> {
        self.end_trial()?;
        match self.waiting {
            None => Ok(()),
            Some(_) => Err(Failure::new(
                ExitCode::Refused,
                "an earlier configuration waits for its confirmation: sip-fw confirm, or wait for its end",
            )),
        }
    }

    /// Makes what is in force the configuration that the next start goes by, unless somebody changed that file since `before` was
    /// in force. Says what of that failed.
    pub fn keep(&self, before: &str) -> Option<String> {
        let text = &self.in_force.text;
        let own = self.file.display();
        let copied = match config::read(&self.file) {
            Ok(found) if found == *text => Ok(()),
            // Somebody is at work on it.
            Ok(found) if found != before => {
                let note = format!("{own} was changed meanwhile and is left as it is; the next start goes by it");
                return Some(match self.state.applied(text) {
                    Ok(()) => note,
                    Err(error) => format!("{note}; {error}"),
                });
            }
            Ok(_) | Err(_) => replace(&self.file, text),
        };
        let kept = self.state.applied(text);
        match (copied, kept) {
            (Err(error), _) => {
                Some(format!("it could not be copied to {own}: {error}; the next start goes by {own} as it is"))
            }
            (Ok(()), Err(error)) => Some(format!("it could not be remembered as confirmed: {error}")),
            (Ok(()), Ok(())) => None,
        }
    }
}
