//! What the firewall decided about a source. The only place that knows where decisions stand.

use std::net::IpAddr;

use sip_fw_agent::kernel::KernelError;
use sip_fw_agent::replay::stage::Stage;

use super::peer::source_of;

/// What happens to the packets of a source now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// They go on.
    #[default]
    Free,
    /// They are dropped for a short while, on evidence that may be forged.
    Shunned,
    /// They are dropped until the ban ends.
    Banned,
}

impl Fate {
    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Shunned => "shunned",
            Self::Banned => "banned",
        }
    }
}

/// What is decided about an address now.
pub fn fate(stage: &Stage, address: IpAddr) -> Result<Fate, KernelError> {
    let (tables, now_ns) = (stage.tables(), stage.now_ns());
    let own = tables.ban(source_of(address))?;
    let prefixes = tables.prefix_bans()?;
    let of_prefixes = prefixes.iter().filter(|(prefix, _)| prefix.contains(&address)).map(|(_, ban)| ban);
    let is_banned = own.iter().chain(of_prefixes).any(|ban| ban.until_ns > now_ns);
    if is_banned {
        return Ok(Fate::Banned);
    }
    let is_shunned = tables.shun(source_of(address))?.is_some_and(|shun| shun.until_ns > now_ns);
    Ok(if is_shunned { Fate::Shunned } else { Fate::Free })
}
