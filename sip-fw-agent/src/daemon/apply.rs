//! The one way of a configuration into force: read, resolved and compiled aside, then put in force between two packets.

use std::path::PathBuf;

use sip_fw_core::controller::Input;
use sip_fw_core::rules::RuleSet;
use tokio::sync::oneshot;

use super::agent::Agent;
use super::lockout::{self, Facts};
use super::prepare::{self, Compiled, Ready};
use super::reload::restart_needed;
use super::trial::{Before, Waiting};
use crate::clock;
use crate::config::Config;
use crate::control::protocol::{Failure, Reply};
use crate::control::server::Response;
use crate::control::services;
use crate::control::view::AppliedView;
use crate::exit_code::ExitCode;
use crate::kernel;

/// Why a configuration comes into force, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// For good, unless it cuts somebody off.
    Safely,
    /// For good, whoever is cut off.
    Forced,
    /// Until it is confirmed, or for so many seconds.
    Tentatively(u64),
}

/// What is asked for.
pub struct Order {
    /// Orders are numbered as they come: one that took longer to prepare does not undo a later one.
    number: u64,
    /// The file.
    file: PathBuf,
    /// On which terms.
    terms: Terms,
    /// Where the answer goes; nowhere for a signal.
    respond: Option<oneshot::Sender<Response>>,
}

/// Which orders came, and which are done.
#[derive(Debug, Default)]
pub struct Orders {
    last: u64,
    finished: u64,
}

/// What came of work beside the loop.
pub enum Outcome {
    /// Of an order.
    Ordered(Order, Result<Box<Ready>, Failure>),
    /// Of another look at the addresses of the configuration in force.
    Recompiled {
        /// Which configuration it was, see [`Agent::put`].
        configuration: u64,
        /// What came of it.
        compiled: Result<Compiled, Failure>,
    },
}

impl Outcome {
    /// Whether it ends a reload that a signal began.
    pub const fn is_reload(&self) -> bool {
        matches!(self, Self::Ordered(Order { respond: None, .. }, _))
    }
}

/// What is in force.
pub struct InForce {
    /// Its text.
    pub text: String,
    /// Its rules.
    pub compiled: Compiled,
}

impl Agent {
    /// Takes an order for a file: without one, for the agent's own configuration.
    pub fn order(&mut self, file: Option<PathBuf>, terms: Terms, respond: Option<oneshot::Sender<Response>>) {
        self.orders.last += 1;
        let file = file.unwrap_or_else(|| self.file.clone());
        let order = Order { number: self.orders.last, file, terms, respond };
        let ready = prepare::of_file(self.lists.memory(), order.file.clone(), self.next_generation());
        let outcomes = self.outcomes.clone();
        drop(tokio::spawn(async move {
            let ready = ready.await.map(Box::new);
            // Fails only at the agent's end.
            let _ = outcomes.send(Outcome::Ordered(order, ready)).await;
        }));
    }

    /// Puts what is ready in force, or says why not.
    pub fn finish(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ordered(Order { number, file, terms, respond }, ready) => {
                let done = ready.and_then(|ready| {
                    self.admit(number, &ready, respond.is_none().then_some(&file))?;
                    self.put_in_force(*ready, &terms)
                });
                self.answer_order(respond, done);
            }
            Outcome::Recompiled { configuration, compiled } => self.recompiled(configuration, compiled),
        }
    }

    /// Each rule set has a number of its own: the programs tell by it whether two look-ups met the same one.
    pub fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    /// Refuses what was overtaken, and what nobody asked for by name although it was tried and not confirmed.
    fn admit(&mut self, number: u64, ready: &Ready, signalled: Option<&PathBuf>) -> Result<(), Failure> {
        if number < self.orders.finished {
            return Err(Failure::new(ExitCode::Failed, "a later order was ready first; nothing was changed"));
        }
        self.orders.finished = number;
        match signalled {
            Some(file) if self.state.is_refused(&ready.text) => Err(Failure::new(
                ExitCode::Refused,
                format!("{} was tried and not confirmed in time; `sip-fw apply` puts it in force", file.display()),
            )),
            _ => Ok(()),
        }
    }

    fn put_in_force(&mut self, ready: Ready, terms: &Terms) -> Result<AppliedView, Failure> {
        self.end_trial_in_time()?;
        if let Some(keys) = restart_needed(&self.config, &ready.config) {
            let message = format!("a change of {keys} needs a restart of the agent; nothing was changed");
            return Err(Failure::new(ExitCode::Usage, message));
        }
        let mut view = AppliedView::new(&ready.compiled.set);
        match terms {
            Terms::Safely | Terms::Forced => {
                if *terms == Terms::Safely {
                    self.refuse_lockout(&ready.compiled.set, &ready.config)?;
                }
                self.kernel.tables.put_in_force(&ready.compiled.loaded)?;
                let before = self.put(ready).in_force.text;
                view.notes.extend(self.keep(&before));
            }
            Terms::Tentatively(seconds) => {
                self.state.trying(&ready.text, &self.in_force.text).map_err(|error| {
                    let message = format!("cannot remember what to go back to, so nothing was changed: {error}");
                    Failure::new(ExitCode::Failed, message)
                })?;
                let until_ns = kernel::now_ns().saturating_add(seconds.saturating_mul(1_000_000_000));
                self.kernel.tables.put_in_force_until(&ready.compiled.loaded, until_ns)?;
                view.confirm_until = Some(clock::now().wall_of(until_ns));
                let before = self.put(ready);
                self.waiting = Some(Waiting { until_ns, before });
            }
        }
        self.handle(Input::RulesApplied);
        Ok(view)
    }

    /// The agent goes by what the programs go by; returns what it went by before.
    pub fn put(&mut self, ready: Ready) -> Before {
        let Ready { text, config, prepared, compiled } = ready;
        self.configuration += 1;
        let lists = self.lists.current();
        self.lists.adopt(prepared);
        self.controller.set_rules(prepare::rules(&config));
        self.store.set_rules(config.store);
        if let Err(error) = self.kernel.tables.set_signatures(&config.signatures) {
            self.complain(Some(error.to_string()));
        }
        self.services = services::views(&config.ports(), &config.service_kinds(), &config.service_names());
        self.matches.forget();
        if self.config.alerts != config.alerts {
            self.publisher.alerts.replace(&config.alerts);
        }
        Before {
            lists,
            config: std::mem::replace(&mut self.config, config),
            in_force: std::mem::replace(&mut self.in_force, InForce { text, compiled }),
        }
    }

    fn refuse_lockout(&self, set: &RuleSet, config: &Config) -> Result<(), Failure> {
        let facts = Facts::gather(config, &self.kernel.tables, kernel::now_ns())?;
        let cut_off = lockout::find(set, config, &facts);
        if cut_off.is_empty() {
            return Ok(());
        }
        let message = format!(
            "refused, nothing was changed; this would cut off:\n  {}\n\
             change the access rules, try them with --confirm-within 60s, or override with --force",
            cut_off.join("\n  ")
        );
        Err(Failure::new(ExitCode::Refused, message))
    }

    fn answer_order(&mut self, respond: Option<oneshot::Sender<Response>>, done: Result<AppliedView, Failure>) {
        match respond {
            Some(respond) => {
                let reply = done.and_then(|view| {
                    serde_json::to_value(view).map_err(|error| Failure::new(ExitCode::Failed, error.to_string()))
                });
                // Fails only when the operator has gone.
                drop(respond.send(Response::Reply(Reply::from(reply))));
            }
            None => {
                let Err(Failure { exit, message }) = done else { return };
                // Each fault of a file is told by itself.
                let texts = if exit == ExitCode::Usage { message } else { message.replace('\n', " ") };
                for text in texts.lines() {
                    self.handle(Input::RulesRefused { reason: format!("not applied: {text}") });
                }
            }
        }
    }
}
