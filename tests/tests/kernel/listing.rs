//! What is listed of a table: everything in it, each entry once.

use std::collections::BTreeSet;

use sip_fw_agent::kernel::TableSizes;
use sip_fw_common::abi::{Source, Strikes, UNTIL_LIFTED_NS};

use crate::drops::ban;
use crate::rig::{Rig, SIZES};

#[test]
fn full_and_almost_empty_tables_are_listed_whole() {
    // Of sixteen buckets some have several entries, more than the first call has room for.
    for (bans, held) in [(16, 16), (16, 1), (4096, 4096), (4096, 3), (4096, 0)] {
        let mut rig = Rig::sized(&TableSizes { bans, ..SIZES }, |_| {});
        let sources: BTreeSet<_> = (0..held).map(|n| Source::v4(0x0a62_0000 + n)).collect();
        for &source in &sources {
            rig.run.tables.put_ban(source, &ban(UNTIL_LIFTED_NS)).unwrap();
        }
        let listed = rig.run.tables.bans().unwrap();
        assert_eq!(listed.len(), sources.len(), "{bans} bans");
        assert_eq!(listed.into_iter().map(|(source, _)| source).collect::<BTreeSet<_>>(), sources);
    }
}

#[test]
fn large_values_come_with_their_keys() {
    let mut rig = Rig::new();
    for n in 0..3000 {
        let strikes = Strikes { written: u64::from(n), ..Strikes::NONE };
        rig.run.tables.put_strikes(Source::v4(0x0a62_0000 + n), &strikes).unwrap();
    }
    let listed: Vec<_> = rig.run.tables.all_strikes().map(Result::unwrap).collect();
    // The table forgets old entries before it is full.
    assert!((1500..=3000).contains(&listed.len()), "{} of 3000", listed.len());
    assert_eq!(listed.iter().map(|(source, _)| *source).collect::<BTreeSet<_>>().len(), listed.len());
    for (source, strikes) in listed {
        assert_eq!(source, Source::v4(0x0a62_0000 + strikes.written as u32));
    }
}
