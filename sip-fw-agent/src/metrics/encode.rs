//! The figures as metrics: names, help and labels in one place. docs/metrics.md explains them; a test compares.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use sip_fw_common::reason::Reason;

use super::Snapshot;
use crate::kernel::Fill;

/// What is served at once.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Of the last tick.
    pub snapshot: Snapshot,
    /// Of the tables.
    pub fills: Vec<Fill>,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut to = Writer { encoder: &mut encoder };
        self.packets(&mut to)?;
        self.events(&mut to)?;
        self.held_back(&mut to)?;
        self.tables(&mut to)?;
        self.rules(&mut to)?;
        self.agent(&mut to)
    }
}

impl Figures {
    fn packets(&self, to: &mut Writer<'_, '_>) -> Result<(), Error> {
        // What was lost is counted on top of the packets.
        let reasons = || Reason::ALL.iter().filter(|reason| !matches!(reason, Reason::EventLost | Reason::BanLost));
        let counted = |reason: &Reason| ([("reason", reason.name())], self.snapshot.counter(*reason));
        let packets = reasons().map(counted).map(|(labels, counter)| (labels, counter.packets));
        to.counters("sip_fw_packets", "Packets by what was seen of them, since the tables were made", packets)?;
        let bytes = reasons().map(counted).map(|(labels, counter)| (labels, counter.bytes));
        to.counters("sip_fw_bytes", "Bytes by what was seen of their packets, since the tables were made", bytes)
    }

    fn events(&self, to: &mut Writer<'_, '_>) -> Result<(), Error> {
        let events = self.snapshot.events.iter().map(|(event, count)| ([("event", *event)], *count));
        to.counters("sip_fw_events", "Events told to people, since the agent started", events)?;
        let read = self.snapshot.ring_events;
        to.counter("sip_fw_ring_events", "Events of the programs that the agent read, since it started", read)?;
        let lost = |reason| self.snapshot.counter(reason).packets;
        let events_lost = "Events of the programs that found the ring buffer full, since the tables were made";
        to.counter("sip_fw_events_lost", events_lost, lost(Reason::EventLost))?;
        let bans_lost = "Bans that found their table full, since the tables were made";
        to.counter("sip_fw_bans_lost", bans_lost, lost(Reason::BanLost))
    }

    fn held_back(&self, to: &mut Writer<'_, '_>) -> Result<(), Error> {
        let census = self.snapshot.census;
        let levels: Vec<_> = (0..census.bans.len()).map(|level| level.to_string()).collect();
        let bans = levels.iter().zip(census.bans).map(|(level, count)| ([("level", level.as_str())], count));
        to.gauges("sip_fw_bans", "Sources banned, by the step of the ladder; level 0 is outside it", bans)?;
        to.gauge("sip_fw_prefix_bans", "Prefixes banned", census.prefix_bans)?;
        to.gauge("sip_fw_shuns", "Sources shunned", census.shuns)
    }

    fn tables(&self, to: &mut Writer<'_, '_>) -> Result<(), Error> {
        let entries = self.fills.iter().map(|fill| ([("table", fill.table)], fill.entries));
        to.gauges("sip_fw_table_entries", "Entries in use, counted at a scrape, at most every 10 seconds", entries)?;
        let capacity = self.fills.iter().map(|fill| ([("table", fill.table)], fill.capacity));
        to.gauges("sip_fw_table_capacity", "Entries that a table can have", capacity)
    }

    fn rules(&self, to: &mut Writer<'_, '_>) -> Result<(), Error> {
        let rules = self.snapshot.rules;
        let loaded = "When the rules in force were loaded";
        to.gauge("sip_fw_rules_loaded_timestamp_seconds", loaded, seconds(rules.loaded.unix_ms))?;
        to.gauge("sip_fw_rules_prefixes", "Prefixes that the access rules came to", rules.prefixes as u64)?;
        to.gauge("sip_fw_rules_memory_bytes", "Kernel memory of the rules in force", rules.bytes)
    }

    fn agent(&self, to: &mut Writer<'_, '_>) -> Result<(), Error> {
        let Snapshot { is_enforcing, attachments, started, tick, .. } = &self.snapshot;
        let sides = attachments.iter().flat_map(|attached| {
            let of = move |direction, mode: &'static str| {
                ([("interface", attached.interface.as_str()), ("direction", direction), ("mode", mode)], mode != "none")
            };
            [of("ingress", attached.ingress), of("egress", attached.egress)]
        });
        let attached = sides.map(|(labels, is_attached)| (labels, u64::from(is_attached)));
        to.gauges("sip_fw_attached", "1 where a program is attached; 0, with mode none, where it is not", attached)?;
        to.gauge("sip_fw_enforcing", "1 in mode enforce, 0 in mode observe", u64::from(*is_enforcing))?;
        let start = "When the agent started";
        to.gauge("sip_fw_agent_started_timestamp_seconds", start, seconds(started.unix_ms))?;
        to.gauge("sip_fw_tick_duration_seconds", "How long the last look at the tables took", tick.as_secs_f64())?;
        to.info("sip_fw_build", "The agent", &[("version", env!("CARGO_PKG_VERSION"))])
    }
}

fn seconds(unix_ms: i64) -> f64 {
    unix_ms as f64 / 1000.0
}

/// Label names and values. All values come from fixed lists, or from the configuration.
type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

struct Writer<'a, 'e> {
    encoder: &'a mut DescriptorEncoder<'e>,
}

impl Writer<'_, '_> {
    fn counters<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (Labels<'l, N>, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (Labels<'l, N>, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> Result<(), Error> {
        self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn info(&mut self, name: &str, help: &str, labels: &Labels<'_, 1>) -> Result<(), Error> {
        self.encoder.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }
}
