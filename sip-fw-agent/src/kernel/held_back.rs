//! Shuns and scanner signatures.

use sip_fw_common::abi::{Live, Shun, Signatures, Source};

use super::tables::{all, failed, found};
use super::{KernelError, Tables};

impl Tables {
    /// Every shun, in force or over.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn shuns(&self) -> Result<Vec<(Source, Shun)>, KernelError> {
        if self.live()?.shuns == 0 {
            return Ok(Vec::new());
        }
        all(&self.shuns, "cannot list the shuns")
    }

    /// The shun of a source, in force or over.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn shun(&self, source: Source) -> Result<Option<Shun>, KernelError> {
        found(self.shuns.get(&source, 0), "cannot read a shun")
    }

    /// Writes a shun; what it counted before lives on.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn put_shun(&mut self, source: Source, shun: &Shun) -> Result<(), KernelError> {
        let earlier = self.shun(source)?.unwrap_or(*shun);
        let shun = Shun { packets: earlier.packets, bytes: earlier.bytes, ..*shun };
        self.shuns.insert(source, shun, 0).map_err(failed("cannot write a shun"))?;
        // Whether there are any is all that the programs ask.
        let live = self.live()?;
        if live.shuns == 0 { self.write_live(&Live { shuns: 1, ..live }) } else { Ok(()) }
    }

    /// Removes a shun; one that is not there is fine.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn remove_shun(&mut self, source: Source) -> Result<(), KernelError> {
        found(self.shuns.remove(&source), "cannot remove a shun").map(drop)
    }

    /// Makes the programs ask for shuns only while there are any.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn count_shuns(&mut self) -> Result<(), KernelError> {
        let live = self.live()?;
        let shuns = u32::from(self.shuns.keys().next().is_some());
        if live.shuns == shuns { Ok(()) } else { self.write_live(&Live { shuns, ..live }) }
    }

    /// Puts other scanner signatures in the place of those in force.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_signatures<'a>(
        &mut self,
        wanted: impl IntoIterator<Item = (&'a u32, &'a Signatures)>,
    ) -> Result<(), KernelError> {
        let mut stale: std::collections::BTreeSet<u32> = self.signatures.keys().filter_map(Result::ok).collect();
        let mut count = 0;
        for (key, signatures) in wanted {
            stale.remove(key);
            count += 1;
            self.signatures.insert(*key, signatures, 0).map_err(failed("cannot write scanner signatures"))?;
        }
        for key in stale {
            found(self.signatures.remove(&key), "cannot remove scanner signatures")?;
        }
        let live = self.live()?;
        if live.signatures == count { Ok(()) } else { self.write_live(&Live { signatures: count, ..live }) }
    }
}
