//! What scanners write into their messages.

use std::collections::BTreeMap;

use sip_fw_common::abi::{Signature, Signatures};
use sip_fw_common::limits::{SIGNATURE_KEYS_MAX, SIGNATURES_ALIKE_MAX, TEXT_BYTES};
use sip_fw_common::signature::key;

use super::check::Check;
use crate::config::raw::{self, RawScanners, Spot};

/// The list that comes with sip-fw.
const SHIPPED: &str = include_str!("../../../../packaging/scanners.toml");

/// Signatures by their first four bytes, folded.
pub type SignatureTable = BTreeMap<u32, Signatures>;

impl Check<'_> {
    pub(super) fn scanners(&mut self, raw: &RawScanners) -> SignatureTable {
        let mut table = SignatureTable::new();
        if self.choice("scanners.list", raw.list.as_ref(), &[("shipped", true), ("none", false)]) {
            let (shipped, _) = raw::read(SHIPPED);
            self.add_all(&mut table, &shipped.scanners);
        }
        self.add_all(&mut table, raw);
        table
    }

    fn add_all(&mut self, table: &mut SignatureTable, raw: &RawScanners) {
        let lists = [
            ("scanners.user_agents", &raw.user_agents, false),
            ("scanners.user_agents_exact", &raw.user_agents_exact, true),
            ("scanners.from", &raw.from, false),
        ];
        for (name, list, whole) in lists {
            for Spot { line, value } in list.iter().flat_map(|list| &list.value) {
                if let Err(allowed) = add(table, value, whole) {
                    self.fault(*line, name, format!("{value:?}"), allowed);
                }
            }
        }
    }
}

fn add(table: &mut SignatureTable, text: &str, whole: bool) -> Result<(), String> {
    let least = if whole { 1 } else { 4 };
    let signature = Signature::new(text.as_bytes(), whole)
        .ok_or_else(|| format!("{least} to {TEXT_BYTES} bytes, which the header begins with in any case"))?;
    if table.len() >= SIGNATURE_KEYS_MAX as usize {
        return Err(format!("at most {SIGNATURE_KEYS_MAX} beginnings"));
    }
    let alike = table.entry(key(&signature.words)).or_insert(Signatures::NONE);
    if alike.list.contains(&signature) {
        return Ok(());
    }
    let free = alike.list.iter_mut().find(|used| **used == Signature::NONE);
    *free.ok_or_else(|| format!("at most {SIGNATURES_ALIKE_MAX} with the same first four bytes"))? = signature;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_list_is_right() {
        let (raw, faults) = raw::read(SHIPPED);
        assert_eq!(faults, []);
        let mut faults = Vec::new();
        let table = Check { faults: &mut faults }.scanners(&RawScanners::default());
        assert_eq!(faults, []);
        let listed = [&raw.scanners.user_agents, &raw.scanners.user_agents_exact, &raw.scanners.from];
        let listed: usize = listed.into_iter().flatten().map(|list| list.value.len()).sum();
        let kept = table.values().flat_map(|alike| alike.list).filter(|kept| *kept != Signature::NONE).count();
        assert_eq!(kept, listed, "none twice, none lost");
    }
}
