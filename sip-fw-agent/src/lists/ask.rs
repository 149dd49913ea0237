//! Names and feeds: asked again and again, each by a task of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use sip_fw_core::text;
use sip_fw_core::time::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

use super::aside;
use super::feed::{Fetch, Fetched, List};
use super::fetch::Validators;
use super::host::{self, Found};
use super::known::Outcome;
use super::pace::{Pace, jittered};
use crate::clock;
use crate::config::{FeedRules, Origin};
use crate::http::Roots;

/// Bytes of a reason; name servers choose parts of it.
const REASON_BYTES_MAX: usize = 300;

/// Whom to ask.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Name servers, for a name.
    Host { name: String, servers: Arc<[SocketAddr]> },
    /// The server of a feed.
    Feed(FeedRules),
}

/// What asking needs.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Where addresses are kept.
    pub folder: PathBuf,
    /// How often and how long.
    pub pace: Pace,
    /// Whom to believe in TLS.
    pub roots: Roots,
    /// Names asked for at once.
    pub lookups: Arc<Semaphore>,
    /// Feeds fetched at once.
    pub fetches: Arc<Semaphore>,
}

/// When to ask next, and what to say then.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When to ask next.
    pub due: Instant,
    /// Failures in a row.
    pub failures: u32,
    /// Of the answer that is known; feeds only.
    pub validators: Option<Validators>,
}

/// What tasks tell the keeper.
#[derive(Debug)]
pub enum News {
    /// An origin was asked for or read.
    Update {
        /// The set of tasks it comes from; those of earlier sets are too late.
        generation: u64,
        origin: Origin,
        outcome: Outcome,
        /// Names and feeds have one.
        plan: Option<Plan>,
    },
    /// Something could not be kept on disk; None: it could.
    NotKept { origin: Option<Origin>, reason: Option<String> },
}

/// An outcome, and whether it could be kept on disk.
pub struct Told {
    pub outcome: Outcome,
    pub not_kept: Option<Option<String>>,
}

impl Plan {
    /// At once.
    pub fn now() -> Self {
        Self { due: Instant::now(), failures: 0, validators: None }
    }

    /// For a feed's list that is on disk: when its interval is over, so that restarts are no burden to its server.
    pub fn of_kept(rules: &FeedRules, as_of: Timestamp, validators: Validators) -> Self {
        let age = u64::try_from(clock::wall().unix_ms.saturating_sub(as_of.unix_ms)).ok().map(Duration::from_millis);
        // An answer from the future says that the clock was wrong.
        let rest = age.map_or(Duration::ZERO, |age| jittered(rules.interval, &rules.name).saturating_sub(age));
        Self { due: Instant::now() + rest, failures: 0, validators: Some(validators) }
    }
}

impl Asked {
    /// Whose addresses.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Host { name, .. } => Origin::Host(name.clone()),
            Self::Feed(rules) => Origin::Feed(rules.name.clone()),
        }
    }

    /// Asks once, and plans the next time.
    pub async fn ask(&self, tools: &Tools, previous: &[IpNet], plan: &mut Plan) -> Told {
        let told = match self {
            Self::Host { name, servers } => ask_host(name, servers, tools, previous, plan).await,
            Self::Feed(rules) => ask_feed(rules, tools, plan).await,
        };
        if matches!(told.outcome, Outcome::Failed(_)) {
            plan.failures = plan.failures.saturating_add(1);
            let wait = match self {
                Self::Host { .. } => tools.pace.host_retry(plan.failures),
                Self::Feed(rules) => tools.pace.feed_retry(plan.failures, rules.interval),
            };
            plan.due = Instant::now() + wait;
        } else {
            plan.failures = 0;
        }
        told
    }

    /// Asks until nobody listens.
    pub async fn keep(
        self,
        tools: Tools,
        mut previous: Vec<IpNet>,
        mut plan: Plan,
        generation: u64,
        out: mpsc::Sender<News>,
    ) {
        let origin = self.origin();
        loop {
            sleep_until(plan.due).await;
            let Told { outcome, not_kept } = self.ask(&tools, &previous, &mut plan).await;
            if let (Self::Host { .. }, Outcome::Fresh { nets, .. }) = (&self, &outcome) {
                previous.clone_from(nets);
            }
            if let Some(reason) = not_kept {
                let news = News::NotKept { origin: Some(origin.clone()), reason };
                if out.send(news).await.is_err() {
                    return;
                }
            }
            let news = News::Update { generation, origin: origin.clone(), outcome, plan: Some(plan.clone()) };
            if out.send(news).await.is_err() {
                return;
            }
        }
    }
}

async fn ask_host(name: &str, servers: &Arc<[SocketAddr]>, tools: &Tools, previous: &[IpNet], plan: &mut Plan) -> Told {
    let _permit = tools.lookups.acquire().await;
    let outcome = match host::look_up(name, servers, previous, &tools.pace).await {
        Ok(Found { nets, ttl, note }) => {
            plan.due = Instant::now() + ttl;
            Outcome::Fresh { nets, as_of: clock::wall(), note }
        }
        Err(error) => Outcome::Failed(text::cut(&error.to_string(), REASON_BYTES_MAX)),
    };
    Told { outcome, not_kept: None }
}

async fn ask_feed(rules: &FeedRules, tools: &Tools, plan: &mut Plan) -> Told {
    let _permit = tools.fetches.acquire().await;
    let began = Instant::now();
    let fetch = fetch(rules, tools, plan.validators.clone());
    let fetched = aside::run("feed", move || fetch.run()).await.unwrap_or_else(|error| Err(error.to_string()));
    plan.due = began + jittered(rules.interval, &rules.name);
    match fetched {
        Err(reason) => Told { outcome: Outcome::Failed(reason), not_kept: None },
        Ok(Fetched { list: None, as_of, not_kept }) => {
            Told { outcome: Outcome::Same { as_of }, not_kept: Some(not_kept) }
        }
        Ok(Fetched { list: Some(List { nets, note, validators }), as_of, not_kept }) => {
            plan.validators = Some(validators);
            Told { outcome: Outcome::Fresh { nets, as_of, note }, not_kept: Some(not_kept) }
        }
    }
}

/// What a thread needs to fetch a feed, or to read what is kept of it.
pub fn fetch(rules: &FeedRules, tools: &Tools, validators: Option<Validators>) -> Fetch {
    Fetch {
        rules: rules.clone(),
        folder: tools.folder.clone(),
        validators,
        roots: tools.roots.clone(),
        pace: tools.pace,
    }
}
