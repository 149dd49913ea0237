//! The slots that say which rule set is in force. The kernel tells a map's number, and opening a map by its number takes
//! CAP_SYS_ADMIN, which the agent does without: so every rule set in a slot is pinned, too, under its number.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use aya::maps::{Array, ArrayOfMaps, Map, MapData};
use sip_fw_common::abi::RULE_SETS_LEN;
use sip_fw_common::rules::Page;

use super::tables::{failed, found};
use super::{KernelError, Loaded, pins};

/// The map of the slots.
pub(super) struct Slots {
    maps: ArrayOfMaps<MapData, Array<MapData, Page>>,
    /// The same map: for who reads it, it holds numbers.
    numbers: Array<MapData, u32>,
    /// Where the rule sets are pinned, if anything is.
    folder: Option<PathBuf>,
}

impl Slots {
    /// The slots of a map; the rule sets in them are not pinned.
    pub(super) fn new(map: Map) -> Result<Self, KernelError> {
        let Map::ArrayOfMaps(data) = map else {
            return Err(KernelError::Access { what: "the slots of the rule sets".into(), reason: format!("{map:?}") });
        };
        let numbers = Map::Array(again(&data)?).try_into().map_err(failed("cannot read the slots of the rule sets"))?;
        let maps = Map::ArrayOfMaps(data).try_into().map_err(failed("cannot open the slots of the rule sets"))?;
        Ok(Self { maps, numbers, folder: None })
    }

    /// The same with the rule sets pinned in a folder.
    pub(super) fn pinned_in(self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// The rule set in a slot.
    pub(super) fn get(&self, slot: u32) -> Result<Option<Loaded>, KernelError> {
        let Some(number) = self.number(slot)? else { return Ok(None) };
        let pin = self.folder.as_ref().map(|folder| folder.join(number.to_string())).filter(|pin| pin.exists());
        // Without a pin it is a capture's, which nobody pins, or of an agent that had the capability.
        let data = pin.map_or_else(|| MapData::from_id(number), MapData::from_pin);
        Loaded::of(data.map_err(failed("cannot open a rule set"))?).map(Some)
    }

    /// Puts a rule set into a slot, and lets go of those that are in none any more.
    pub(super) fn set(&mut self, slot: u32, set: &Loaded) -> Result<(), KernelError> {
        self.pin(&set.data)?;
        self.maps.set(slot, &set.pages, 0).map_err(failed("cannot put a rule set in force"))?;
        self.unpin_others()
    }

    fn number(&self, slot: u32) -> Result<Option<u32>, KernelError> {
        found(self.numbers.get(&slot, 0), "cannot read a slot of the rule sets")
    }

    fn pin(&self, set: &MapData) -> Result<(), KernelError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let number = set.info().map_err(failed("cannot inspect a rule set"))?.id();
        let pin = folder.join(number.to_string());
        if pin.exists() {
            return Ok(());
        }
        pins::create(folder)?;
        set.pin(&pin).map_err(|error| KernelError::access(format!("cannot pin {}", pin.display()), &error))
    }

    fn unpin_others(&self) -> Result<(), KernelError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut kept = Vec::new();
        for slot in 0..RULE_SETS_LEN {
            kept.extend(self.number(slot)?.map(|number| number.to_string()));
        }
        for (_, pin) in pins::entries(folder)?.into_iter().filter(|(name, _)| !kept.contains(name)) {
            // One that stays costs memory, until the next time.
            let _ = fs::remove_file(pin);
        }
        Ok(())
    }
}

/// A second handle of a map.
pub(super) fn again(map: &MapData) -> Result<MapData, KernelError> {
    let descriptor = map.fd().as_fd().try_clone_to_owned();
    let descriptor = descriptor.map_err(|error| KernelError::access("cannot hold a map twice".to_owned(), &error))?;
    MapData::from_fd(descriptor).map_err(failed("cannot hold a map twice"))
}
