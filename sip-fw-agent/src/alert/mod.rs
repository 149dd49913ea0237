//! Tells people beside the journal: syslog, webhooks and hooks, each behind a bounded queue and on a thread of its own, so that
//! one that is slow, full or dead delays nobody.

mod channel;
mod exec;
mod message;
mod rate;
mod rfc5424;
mod sink;
mod syslog;
mod template;
mod webhook;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sip_fw_core::record::Record;

use self::exec::Exec;
use self::sink::{Pace, Sink};
use self::syslog::Syslog;
use self::webhook::Webhook;
use crate::config::AlertRules;
use crate::control::view::AlertView;

pub use self::template::{Piece, Template, allowed_templates};

/// What nobody has taken by then is not told at the end. Longer than [`Pace::last`], in which sinks end by themselves.
const LAST_ALERTS: Duration = Duration::from_secs(1);

/// Everybody who is told. Dropping it waits, but not for long, until everything is told.
#[derive(Debug, Default)]
pub struct Alerts {
    sinks: Vec<Sink>,
}

impl Alerts {
    /// From now on these are told. Those that were have a moment for what waits, but nobody waits for them.
    pub fn replace(&mut self, rules: &AlertRules) {
        let syslog = rules
            .syslog
            .iter()
            .map(|rules| Sink::start("syslog", "syslog", &rules.selection, Syslog::new(rules), Pace::USUAL));
        let webhooks = rules
            .webhooks
            .iter()
            .map(|rules| Sink::start("webhook", &rules.name, &rules.selection, Webhook::new(rules), Pace::USUAL));
        let hooks = rules
            .hooks
            .iter()
            .map(|rules| Sink::start("exec", &rules.name, &rules.selection, Exec::new(rules), Pace::USUAL));
        self.sinks = syslog.chain(webhooks).chain(hooks).collect();
    }

    /// Hands a record to everybody who wants it; never waits.
    pub fn tell(&self, record: &Arc<Record>) {
        self.sinks.iter().for_each(|sink| sink.tell(record));
    }

    /// Who began to fail, and who works again, since it was asked last.
    pub fn news(&mut self) -> Vec<Record> {
        self.sinks.iter_mut().filter_map(Sink::news).collect()
    }

    /// How everybody fares.
    #[must_use]
    pub fn views(&self) -> Vec<AlertView> {
        self.sinks.iter().map(Sink::view).collect()
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        let deadline = Instant::now() + LAST_ALERTS;
        self.sinks.iter_mut().for_each(Sink::close);
        self.sinks.iter().for_each(|sink| sink.wait_until(deadline));
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::message::tests::ban;
    use super::sink::tests::all;
    use super::*;
    use crate::config::WebhookRules;

    #[test]
    fn neither_a_change_nor_the_end_waits_for_who_never_answers() {
        let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
        let rules = |name: &str| WebhookRules {
            name: name.to_owned(),
            url: format!("http://{}/", deaf.local_addr().unwrap()),
            template: Template::Event,
            headers: Vec::new(),
            selection: all(100),
            timeout: Duration::from_secs(100),
        };
        let mut alerts = Alerts::default();
        let mut connections = Vec::new();
        for names in [["a", "b"], ["c", "d"]] {
            let began = Instant::now();
            alerts.replace(&AlertRules { webhooks: names.map(rules).to_vec(), ..AlertRules::default() });
            assert!(began.elapsed() < LAST_ALERTS / 2, "{:?}", began.elapsed());
            assert!(alerts.views().iter().map(|view| view.name.as_str()).eq(names));
            alerts.tell(&ban("1000", 0).record);
            connections.extend([deaf.accept().unwrap(), deaf.accept().unwrap()]);
        }
        let began = Instant::now();
        drop(alerts);
        assert!(began.elapsed() >= LAST_ALERTS && began.elapsed() < 2 * LAST_ALERTS, "{:?}", began.elapsed());
    }
}
