//! What came out of a replay.

use std::collections::BTreeMap;

use serde::Serialize;
use sip_fw_common::reason::Reason;
use sip_fw_core::record::{EventName, Record};
use sip_fw_core::time::{Timestamp, Until};

use super::stage::Stage;
use crate::kernel::KernelError;
use crate::report::table::{Column, or_dash, table};

/// Bans and shuns that are listed; later ones are only counted.
const LISTED_MAX: usize = 100_000;

/// The totals, with the keys of the JSON document.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// SIP messages in both directions, after dropping.
    pub messages: u64,
    /// Attempts, each once.
    pub attempts: u64,
    /// Failed attempts that prove their source.
    pub failures_proven: u64,
    /// Failed attempts whose source may be forged.
    pub failures_unproven: u64,
    /// Attempts with an old nonce.
    pub stale: u64,
    /// Attempts that succeeded.
    pub successes: u64,
    /// Requests without credentials that were challenged.
    pub challenges: u64,
    /// Every ban, in order.
    pub bans: Vec<Block>,
    /// Every shun, in order.
    pub shuns: Vec<Block>,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Arriving packets of SIP services that do not begin as a SIP message does.
    pub unparsed: u64,
    /// Packets of the capture.
    pub packets: u64,
    /// Packets that neither arrive nor leave, or both.
    pub skipped: u64,
    /// Answers to dropped requests, which no PBX would have sent.
    pub unsent: u64,
    /// Packets that the capture holds only the beginning of.
    pub cut: u64,
    /// Bans and shuns that are not listed: there were too many.
    pub unlisted: u64,
}

/// A ban or a shun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Block {
    /// Who.
    pub source: Option<String>,
    /// Step of the ladder.
    pub level: Option<u8>,
    /// When it began.
    pub since: Timestamp,
    /// When it ends; null when only an operator ends it.
    pub until: Option<Until>,
    /// User name of the last attempt.
    pub user: Option<String>,
    /// Failures that led to it.
    pub strikes: Option<u32>,
    /// Why.
    pub reason: Option<String>,
}

impl Summary {
    /// Notes a decision.
    pub fn note(&mut self, record: &Record) {
        let list = match record.event {
            EventName::Ban => &mut self.bans,
            EventName::Shun => &mut self.shuns,
            _ => return,
        };
        if list.len() >= LISTED_MAX {
            self.unlisted += 1;
            return;
        }
        list.push(Block {
            source: record.source.clone(),
            level: record.level,
            since: record.time,
            until: record.until,
            user: record.user.clone(),
            strikes: record.strikes,
            reason: record.reason.clone(),
        });
    }

    /// Takes over what the programs counted.
    ///
    /// # Errors
    ///
    /// When the counters cannot be read.
    pub fn take_counters(&mut self, stage: &Stage) -> Result<(), KernelError> {
        self.failures_proven = stage.counted(Reason::FailureProven)?;
        self.failures_unproven = stage.counted(Reason::FailureUnproven)?;
        self.stale = stage.counted(Reason::Stale)?;
        self.successes = stage.counted(Reason::Success)?;
        self.challenges = stage.counted(Reason::Challenge)?;
        let all = (0..Reason::SLOTS).filter_map(|number| Reason::from_number(u8::try_from(number).ok()?));
        for reason in all.filter(|reason| reason.drops()) {
            let packets = stage.counted(reason)?;
            if packets > 0 {
                self.dropped.insert(reason.name(), packets);
            }
        }
        Ok(())
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let dropped: Vec<String> = self.dropped.iter().map(|(reason, packets)| format!("{packets} {reason}")).collect();
        let dropped = if dropped.is_empty() { "0".to_owned() } else { dropped.join(", ") };
        let mut text = format!(
            "\npackets    {}, of which {} neither arrive nor leave, or both\nmessages   {}\nattempts   {}\n\
             failures   {} proven, {} unproven\nstale      {}\nsuccesses  {}\nchallenges {}\nunparsed   {}\n\
             dropped    {dropped}\n",
            self.packets,
            self.skipped,
            self.messages,
            self.attempts,
            self.failures_proven,
            self.failures_unproven,
            self.stale,
            self.successes,
            self.challenges,
            self.unparsed,
        );
        if self.unsent > 0 {
            text.push_str(&format!("left out   {} answers to dropped requests\n", self.unsent));
        }
        for (name, blocks) in [("bans", &self.bans), ("shuns", &self.shuns)] {
            text.push_str(&format!("{name:<10} {}\n", blocks.len()));
            if !blocks.is_empty() {
                text.push_str(&listing(blocks));
            }
        }
        if self.unlisted > 0 {
            text.push_str(&format!("not listed {}\n", self.unlisted));
        }
        text
    }
}

fn listing(blocks: &[Block]) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let row = |block: &Block| {
        [
            or_dash(block.source.as_deref()),
            number(block.level.map(u64::from)),
            block.since.to_string(),
            match block.until {
                Some(Until::At(time)) => time.to_string(),
                Some(Until::Lifted) => "lifted".to_owned(),
                None => "-".to_owned(),
            },
            or_dash(block.user.as_deref()),
            number(block.strikes.map(u64::from)),
            or_dash(block.reason.as_deref()),
        ]
    };
    let columns = [
        Column::Text("SOURCE"),
        Column::Number("LEVEL"),
        Column::Text("SINCE"),
        Column::Text("UNTIL"),
        Column::Text("USER"),
        Column::Number("STRIKES"),
        Column::Text("REASON"),
    ];
    table(columns, &blocks.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_are_listed_and_the_keys_stay() {
        let mut summary = Summary::default();
        let mut ban = Record::new(Timestamp { unix_ms: 0 }, EventName::Ban).because("5 auth failures");
        ban.source = Some("203.0.113.9".to_owned());
        ban.until = Some(Until::At(Timestamp { unix_ms: 60_000 }));
        summary.note(&ban);
        summary.note(&Record::new(Timestamp { unix_ms: 0 }, EventName::AuthFailure));
        assert_eq!(summary.bans.len(), 1);
        let json = serde_json::to_value(&summary).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().take(11).map(String::as_str).collect();
        let expected = [
            "messages",
            "attempts",
            "failures_proven",
            "failures_unproven",
            "stale",
            "successes",
            "challenges",
            "bans",
            "shuns",
            "dropped",
            "unparsed",
        ];
        assert_eq!(keys, expected);
        let keys: Vec<_> = json["bans"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["source", "level", "since", "until", "user", "strikes", "reason"]);
        assert_eq!(json["bans"][0]["until"], "1970-01-01T00:01:00.000Z");
        assert!(summary.text().contains("bans       1\nSOURCE"), "{}", summary.text());
    }
}
