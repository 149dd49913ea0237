//! The one way of a configuration into force: read, resolved and compiled aside, then put in force between two packets.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sip_fw_core::controller::{Input, Rules};
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::rules::RuleSet;
use tokio::sync::oneshot;

use super::agent::Agent;
use super::lockout::{self, Facts};
use super::reload::restart_needed;
use super::state::replace;
use crate::clock;
use crate::config::{Config, Origin, parse};
use crate::control::protocol::{Failure, Reply};
use crate::control::server::Response;
use crate::control::services;
use crate::control::view::AppliedView;
use crate::exit_code::ExitCode;
use crate::host::own_addresses;
use crate::kernel::{self, Loaded, possible_cpus};
use crate::lists::{Lists, Prepared, Snapshot, Wanted};

/// How long names and feeds that were never known are waited for.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Time between two tries to follow the programs back to the configuration before.
const NEXT_TRY_NS: u64 = 30_000_000_000;

/// Why a configuration comes into force, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// For good, unless it cuts somebody off.
    Safely,
    /// For good, whoever is cut off.
    Forced,
    /// Until it is confirmed, or for so many seconds.
    Tentatively(u64),
    /// The one before comes back, as it was not confirmed in time.
    RolledBack,
}

/// What is asked for.
pub struct Order {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// On which terms.
    pub terms: Terms,
    /// Where the answer goes; nowhere for a signal.
    pub respond: Option<oneshot::Sender<Response>>,
}

/// A configuration that could come into force.
pub struct Ready {
    /// The configuration.
    pub config: Config,
    /// Its lists.
    pub prepared: Prepared,
    /// Its rule set.
    pub set: RuleSet,
    /// The addresses of this host that it knows.
    pub own: Vec<IpAddr>,
}

/// What came of an order.
pub struct Outcome {
    order: Order,
    ready: Result<Ready, Failure>,
}

/// What is in force.
pub struct InForce {
    /// Its text.
    pub text: String,
    /// Compiled.
    pub set: Arc<RuleSet>,
    /// In the kernel.
    pub loaded: Loaded,
    /// The addresses of this host that it knows.
    pub own: Vec<IpAddr>,
}

/// A configuration that waits for its confirmation.
pub struct Waiting {
    /// On the programs' clock.
    pub until_ns: u64,
    /// The text before.
    pub before: String,
    /// When the agent follows the programs back to it, should it not have succeeded yet; 0: it has not tried.
    pub next_try_ns: u64,
}

/// The lists that a configuration asks for.
fn wanted(config: &Config) -> Wanted {
    let mut wanted = Wanted {
        feeds: Vec::new(),
        country_db: config.country_db.clone(),
        dns_servers: config.dns_servers.clone(),
        ..Wanted::default()
    };
    let mut feeds = BTreeSet::new();
    for origin in config.access_in_force().flat_map(|(line, _)| &line.from) {
        match origin {
            Origin::Host(name) => drop(wanted.hosts.insert(name.clone())),
            Origin::File(path) => drop(wanted.files.insert(path.clone())),
            Origin::Feed(name) => drop(feeds.insert(name)),
            Origin::Country(code) => drop(wanted.countries.insert(code.clone())),
            Origin::Net(_) | Origin::Own | Origin::Learned => {}
        }
    }
    wanted.feeds = config.feeds.iter().filter(|feed| feeds.contains(&feed.name)).cloned().collect();
    wanted
}

/// Compiles a configuration with what is known of its lists.
fn compile(config: &Config, lists: &Snapshot, own: &[IpAddr], generation: u32) -> Result<RuleSet, Failure> {
    let mut plan = config.plan(own.to_vec(), possible_cpus(), |origin| lists.nets(origin).to_vec());
    plan.generation = generation;
    RuleSet::compile(&plan).map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))
}

/// Reads, resolves and compiles, without touching anything that is in force.
pub fn prepare(
    lists: &Lists,
    file: &Path,
    text: &str,
    generation: u32,
) -> impl Future<Output = Result<Ready, Failure>> + use<> {
    let usage = |message: String| Failure::new(ExitCode::Usage, message);
    let config = parse(file, text).map_err(|faults| usage(faults.to_string()));
    let prepared = config.map(|config| (lists.prepare(wanted(&config), PATIENCE), config));
    let file = file.to_owned();
    async move {
        let (prepared, config) = prepared?;
        let prepared = prepared.await.map_err(|faults| {
            let lines: Vec<_> = faults.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
            usage(lines.join("\n"))
        })?;
        let compiling = tokio::task::spawn_blocking(move || {
            let own = own_addresses();
            let set = compile(&config, &prepared.snapshot(), &own, generation)?;
            Ok(Ready { config, prepared, set, own })
        });
        compiling.await.map_err(|error| Failure::new(ExitCode::Failed, format!("the compiler of rules: {error}")))?
    }
}

/// What the controller needs to know of a configuration.
pub fn rules(config: &Config) -> Rules {
    let access = config.access_in_force().map(|(line, _)| line.name.clone()).collect();
    Rules { settings: config.settings(), services: config.service_names(), access, bans_max: config.limits.bans }
}

impl Agent {
    /// Takes an order for a file: without one, for the agent's own configuration.
    pub fn order(&mut self, file: Option<PathBuf>, terms: Terms, respond: Option<oneshot::Sender<Response>>) {
        let file = file.unwrap_or_else(|| self.file.clone());
        match fs::read_to_string(&file) {
            Ok(text) => self.prepare(Order { file, text, terms, respond }),
            Err(error) => {
                let failure = Failure::new(ExitCode::Usage, format!("{}: {error}", file.display()));
                self.answer_order(respond, Err(failure));
            }
        }
    }

    fn prepare(&mut self, order: Order) {
        let generation = self.next_generation();
        let preparing = prepare(&self.lists, &order.file, &order.text, generation);
        let outcomes = self.outcomes.clone();
        drop(tokio::spawn(async move {
            let ready = preparing.await;
            // Fails only at the agent's end.
            let _ = outcomes.send(Outcome { order, ready }).await;
        }));
    }

    /// Puts what is ready in force, or says why not.
    pub fn finish(&mut self, outcome: Outcome) {
        let Outcome { order, ready } = outcome;
        let Order { text, terms, respond, .. } = order;
        let done = ready.and_then(|ready| self.put_in_force(ready, text, &terms));
        self.answer_order(respond, done);
    }

    /// Keeps what waits for its confirmation.
    pub fn confirm(&mut self) -> Result<AppliedView, Failure> {
        let Some(waiting) = &self.waiting else {
            return Err(Failure::new(ExitCode::NotFound, "nothing waits for a confirmation"));
        };
        if waiting.until_ns <= kernel::now_ns() {
            return Err(Failure::new(ExitCode::NotFound, "too late: the configuration before is in force again"));
        }
        self.kernel.tables.confirm_rule_set()?;
        let mut view = AppliedView::new(&self.in_force.set);
        view.notes.extend(self.keep(&waiting.before));
        self.waiting = None;
        self.handle(Input::RulesApplied);
        Ok(view)
    }

    /// Follows what changed around the rules: addresses of this host and of lists, and the end of a wait.
    pub fn follow_changes(&mut self) {
        let now_ns = kernel::now_ns();
        let lapsed = self.waiting.as_mut().filter(|waiting| waiting.until_ns.max(waiting.next_try_ns) <= now_ns);
        if let Some(waiting) = lapsed {
            // The programs went back by themselves; the agent follows. A list of the configuration before may be unreadable
            // now: its rules stay in force all the same, and the agent tries again.
            let is_first = waiting.next_try_ns == 0;
            waiting.next_try_ns = now_ns.saturating_add(NEXT_TRY_NS);
            let text = waiting.before.clone();
            if is_first {
                let reason = "not confirmed in time: the configuration before is in force again";
                self.publisher.tell(Record::new(clock::wall(), EventName::RulesApplied).because(reason));
            }
            self.prepare(Order { file: self.file.clone(), text, terms: Terms::RolledBack, respond: None });
        } else if own_addresses() != self.in_force.own {
            self.recompile();
        }
    }

    /// Takes new addresses of lists.
    pub fn lists_changed(&mut self, changes: &[crate::lists::Change]) {
        use crate::lists::What;
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

    fn recompile(&mut self) {
        let own = own_addresses();
        let generation = self.next_generation();
        let compiled = compile(&self.config, &self.lists.snapshot(), &own, generation);
        if let Err(failure) = compiled.and_then(|set| self.replace_in_force(set, own)) {
            let reason = format!("new addresses of lists are not in force: {failure}");
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(reason));
        }
    }

    /// Each rule set has a number of its own: the programs tell by it whether two look-ups met the same one.
    fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        self.generation
    }

    fn replace_in_force(&mut self, set: RuleSet, own: Vec<IpAddr>) -> Result<(), Failure> {
        let loaded = self.kernel.tables.load_rule_set(&set)?;
        match &self.waiting {
            Some(_) => self.kernel.tables.replace_tentative(&loaded)?,
            None => self.kernel.tables.put_in_force(&loaded)?,
        }
        let text = std::mem::take(&mut self.in_force.text);
        self.in_force = InForce { text, set: Arc::new(set), loaded, own };
        self.matches.forget();
        Ok(())
    }

    fn put_in_force(&mut self, ready: Ready, text: String, terms: &Terms) -> Result<AppliedView, Failure> {
        let Ready { config, prepared, set, own } = ready;
        self.refuse_while_waiting(terms)?;
        if let Some(keys) = restart_needed(&self.config, &config) {
            let message = format!("a change of {keys} needs a restart of the agent; nothing was changed");
            return Err(Failure::new(ExitCode::Usage, message));
        }
        if *terms == Terms::Safely {
            self.refuse_lockout(&set, &config)?;
        }
        let loaded = self.kernel.tables.load_rule_set(&set)?;
        let mut view = AppliedView::new(&set);
        match terms {
            Terms::Tentatively(seconds) => {
                let trying = self.state.applied(&self.in_force.text).and_then(|()| self.state.trying(&text));
                trying.map_err(|error| {
                    let message = format!("cannot remember what to go back to, so nothing was changed: {error}");
                    Failure::new(ExitCode::Failed, message)
                })?;
                let until_ns = kernel::now_ns().saturating_add(seconds.saturating_mul(1_000_000_000));
                self.kernel.tables.put_in_force_until(&loaded, until_ns)?;
                let before = std::mem::take(&mut self.in_force.text);
                self.waiting = Some(Waiting { until_ns, before, next_try_ns: 0 });
                view.confirm_until = Some(clock::now().wall_of(until_ns));
            }
            Terms::Safely | Terms::Forced | Terms::RolledBack => {
                self.kernel.tables.put_in_force(&loaded)?;
                self.waiting = None;
            }
        }
        self.lists.adopt(prepared);
        self.controller.set_rules(rules(&config));
        self.services = services::views(&config.ports(), &config.service_kinds(), &config.service_names());
        self.config = config;
        let before = std::mem::replace(&mut self.in_force, InForce { text, set: Arc::new(set), loaded, own }).text;
        self.matches.forget();
        match terms {
            Terms::Safely | Terms::Forced => view.notes.extend(self.keep(&before)),
            // The file stays as it is, and what it was tried with is remembered.
            Terms::Tentatively(_) | Terms::RolledBack => {}
        }
        self.handle(Input::RulesApplied);
        Ok(view)
    }

    /// What waits for its confirmation comes first; once its time has passed, only a configuration for good may overtake
    /// the return of the one before.
    fn refuse_while_waiting(&self, terms: &Terms) -> Result<(), Failure> {
        let lapsed = self.waiting.as_ref().map(|waiting| waiting.until_ns <= kernel::now_ns());
        match (lapsed, terms) {
            (None, Terms::RolledBack) => Err(Failure::new(ExitCode::Failed, "another configuration came first")),
            (None, _) | (Some(true), Terms::RolledBack | Terms::Safely | Terms::Forced) => Ok(()),
            (Some(true), Terms::Tentatively(_)) => {
                let message = "the configuration before is coming back, as nobody confirmed; try again in a moment";
                Err(Failure::new(ExitCode::Refused, message))
            }
            (Some(false), _) => {
                let message =
                    "an earlier configuration waits for its confirmation: sip-fw confirm, or wait for its end";
                Err(Failure::new(ExitCode::Refused, message))
            }
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

    /// Makes what is in force the configuration that the next start goes by, unless somebody changed that file since `before` was
    /// in force. Says what of that failed.
    fn keep(&self, before: &str) -> Option<String> {
        let text = &self.in_force.text;
        let own = self.file.display();
        let copied = match fs::read_to_string(&self.file) {
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
