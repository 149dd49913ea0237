//! What a scenario may need of the firewall, and what it does not have yet.

/// Something the firewall tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Short blocks on unproven evidence.
    Shun,
    /// Users tried one after the other, without credentials.
    Enumeration,
    /// One number dialled behind many prefixes.
    DialScan,
    /// Scanners that say so.
    Scanner,
    /// More packets than a source may send.
    Flood,
    /// Guesses that are too slow for the window.
    SlowGuessing,
    /// One user guessed from many sources.
    DistributedGuessing,
    /// Prefixes with many banned sources.
    PrefixBan,
    /// Refusals of a right password, by a PBX that refuses a wrong one with another challenge.
    PolicyRefusal,
}

/// Not built yet: scenarios that need one of these are pending.
pub const NOT_BUILT: &[Feature] = &[Feature::PolicyRefusal];

/// Whether the firewall has it.
pub fn is_built(feature: Feature) -> bool {
    !NOT_BUILT.contains(&feature)
}
