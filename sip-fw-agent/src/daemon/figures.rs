//! What the tick leaves for the metrics and for the service manager.

use std::time::Duration;

use sip_fw_common::abi::Counter;
use sip_fw_core::record::{EventName, Record};

use super::agent::Agent;
use crate::clock;
use crate::config::{Interfaces, Mode};
use crate::kernel::{Attachment, KernelError};
use crate::metrics::{Census, RulesFigures, Snapshot};

impl Agent {
    /// Shows the figures of a tick.
    pub(super) fn show_figures(
        &self,
        census: Census,
        counters: &[Vec<Counter>],
        tick: Duration,
    ) -> Result<(), KernelError> {
        let attached = self.kernel.tables.attachments()?;
        let attachments = match &self.config.interfaces {
            Interfaces::Named(names) => names.iter().map(|interface| on(interface, &attached)).collect(),
            Interfaces::Auto => attached,
        };
        let snapshot = Snapshot {
            is_enforcing: self.config.mode == Mode::Enforce,
            counters: counters.iter().map(|cpus| sum(cpus)).collect(),
            ring_events: self.ring_events,
            events: self.publisher.told().clone(),
            census,
            attachments,
            rules: self.rules_figures(),
            started: self.started_at,
            tick,
        };
        self.metrics.show(snapshot);
        Ok(())
    }

    /// Serves the metrics where the configuration in force says, and tells what keeps it from that.
    pub(super) fn serve_metrics(&mut self) {
        self.metrics.listen(self.config.metrics);
        if let Some(trouble) = self.metrics.trouble() {
            self.publisher.tell(Record::new(clock::wall(), EventName::Degraded).because(trouble));
        }
    }

    fn rules_figures(&self) -> RulesFigures {
        let set = &self.in_force.compiled.set;
        let generation = set.header().generation;
        let before = self.metrics.shown().rules;
        let loaded = if before.generation == generation { before.loaded } else { clock::wall() };
        RulesFigures { generation, loaded, prefixes: set.prefixes(), bytes: set.bytes() }
    }
}

fn on(interface: &str, attached: &[Attachment]) -> Attachment {
    attached.iter().find(|found| found.interface == interface).cloned().unwrap_or_else(|| Attachment {
        interface: interface.to_owned(),
        ingress: "none",
        egress: "none",
        dead: false,
    })
}

fn sum(cpus: &[Counter]) -> Counter {
    cpus.iter().fold(Counter::default(), |sum, cpu| Counter {
        packets: sum.packets.wrapping_add(cpu.packets),
        bytes: sum.bytes.wrapping_add(cpu.bytes),
    })
}
