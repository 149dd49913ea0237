//! The loop: events, requests, the tick and signals, one at a time.

use std::time::Duration;

use sip_fw_core::SCHEMA;
use sip_fw_core::controller::{Command, Input};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::agent::{Agent, Tick};
use super::apply::{Outcome, Terms};
use super::lock::Lock;
use super::manager::Manager;
use crate::config::OnExit;
use crate::control::admission::Admission;
use crate::control::protocol::{Failure, Request};
use crate::control::server::{Call, Response};
use crate::control::view::DetachedView;
use crate::exit_code::ExitCode;
use crate::host::InterfaceChanges;
use crate::kernel::{self, EventStream};

/// Events handled before anything else gets its turn.
const EVENTS_PER_TURN: usize = 256;
/// Time between two looks at the tables.
const TICK: Duration = Duration::from_secs(1);
/// A look at large tables takes long; at most one part in so many of the time is spent on it.
const TICK_SHARE: u32 = 20;
/// Time between two looks at the interfaces at least, however much they change, and at most, however long one took: a new
/// interface is protected within a second.
const LOOK_PAUSE: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];
/// Replies that are not taken by then are dropped at the end.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// Where inputs come from.
pub struct Inputs {
    pub events: EventStream,
    pub changes: InterfaceChanges,
    pub calls: mpsc::Receiver<Call>,
    pub hangup: Signal,
    pub terminate: Signal,
    pub interrupt: Signal,
    pub outcomes: mpsc::Receiver<Outcome>,
    pub admission: Admission,
    pub server: Option<JoinHandle<()>>,
    pub manager: Manager,
}

/// Why the loop ended.
enum End {
    Told(&'static str),
    Detach(oneshot::Sender<Response>),
    TakenOff,
    Failed(Failure),
}

/// Turns until the end.
pub async fn run(mut agent: Agent, mut inputs: Inputs, lock: Lock) -> Result<(), Failure> {
    let end = turn(&mut agent, &mut inputs).await;
    agent.keep_all();
    inputs.manager.stopping();
    if let Some(server) = inputs.server.take() {
        server.abort();
    }
    let on_exit = agent.config.on_exit;
    let result = match end {
        End::Detach(respond) => {
            let detached = detach(agent, inputs.events, "by operator");
            // The operator may start the next agent as soon as he has the answer.
            drop(lock);
            answer(respond, &detached);
            detached.and_then(|_| Err(is_off()))
        }
        End::Told(why) if on_exit == OnExit::Detach => detach(agent, inputs.events, why).map(drop),
        End::TakenOff => {
            detach(agent, inputs.events, "by somebody else, beside this agent").and_then(|_| Err(is_off()))
        }
        End::Told(why) => {
            agent.handle(Input::Stopped { reason: format!("{why}; bans and programs stay in force") });
            drop(agent);
            Ok(())
        }
        End::Failed(failure) => {
            let reason = format!("{failure}; bans and programs stay in force");
            agent.handle(Input::Stopped { reason });
            drop(agent);
            Err(failure)
        }
    };
    drop(inputs.calls);
    inputs.admission.closing_time(LAST_REPLIES).await;
    result
}

async fn turn(agent: &mut Agent, inputs: &mut Inputs) -> End {
    let mut events = Vec::with_capacity(EVENTS_PER_TURN);
    let mut next_tick = Instant::now();
    loop {
        tokio::select! {
            result = inputs.events.next(&mut events, EVENTS_PER_TURN) => match result {
                Ok(()) => agent.events(&mut events),
                Err(error) => return End::Failed(error.into()),
            },
            Some(call) = inputs.calls.recv() => match call.request {
                Request::Detach => return End::Detach(call.respond),
                Request::Apply { file, force, confirm_within_seconds } => {
                    let terms = match confirm_within_seconds {
                        Some(seconds) => Terms::Tentatively(seconds),
                        None if force => Terms::Forced,
                        None => Terms::Safely,
                    };
                    agent.order(file, terms, Some(call.respond));
                }
                request => drop(call.respond.send(agent.answer(&request))),
            },
            () = sleep_until(next_tick) => {
                let Tick { took, taken_off } = agent.tick();
                if taken_off {
                    return End::TakenOff;
                }
                inputs.manager.status(agent.metrics.shown().summary());
                next_tick = Instant::now() + TICK.max(took * TICK_SHARE);
            }
            () = inputs.changes.next() => {
                let Tick { took, taken_off } = agent.look();
                if taken_off {
                    return End::TakenOff;
                }
                let [shortest, longest] = LOOK_PAUSE;
                inputs.changes.pause((took * TICK_SHARE).clamp(shortest, longest));
            }
            () = inputs.manager.beat() => {}
            Some(outcome) = inputs.outcomes.recv() => {
                let is_reload = outcome.is_reload();
                agent.finish(outcome);
                if is_reload {
                    inputs.manager.ready();
                }
            }
            changes = agent.lists.changed() => agent.lists_changed(&changes),
            Some(()) = inputs.hangup.recv() => {
                inputs.manager.reloading();
                agent.order(None, Terms::Safely, None);
            }
            Some(()) = inputs.terminate.recv() => return End::Told("SIGTERM"),
            Some(()) = inputs.interrupt.recv() => return End::Told("SIGINT"),
        }
    }
}

/// Takes everything off. The programs stay attached as long as anybody holds them, so they are let go first.
fn detach(agent: Agent, events: EventStream, why: &str) -> Result<Vec<String>, Failure> {
    let Agent { kernel, mut controller, mut publisher, config, .. } = agent;
    drop((kernel, events));
    let result = kernel::detach(&config.paths.pins).map_err(Failure::from);
    let reason = match &result {
        Ok(_) => format!("{why}; nothing is enforced any more"),
        Err(failure) => format!("{why}, but not completely: {failure}"),
    };
    for input in [Input::Detached { reason }, Input::Stopped { reason: why.to_owned() }] {
        for command in controller.handle(input, crate::clock::now()) {
            if let Command::Report(record) = command {
                publisher.tell(record);
            }
        }
    }
    result
}

/// Whoever did it wants it so: systemd, which starts every other agent again, is told by the exit code.
fn is_off() -> Failure {
    Failure::new(ExitCode::Detached, "everything was detached, so the agent has ended")
}

fn answer(respond: oneshot::Sender<Response>, detached: &Result<Vec<String>, Failure>) {
    let reply = detached.clone().and_then(|detached| {
        serde_json::to_value(DetachedView { schema: SCHEMA, detached })
            .map_err(|error| Failure::new(ExitCode::Failed, error.to_string()))
    });
    // Fails only when the operator has gone.
    drop(respond.send(Response::Reply(reply.into())));
}
