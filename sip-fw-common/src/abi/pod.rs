//! Lets aya copy the map types as bytes.
#![expect(unsafe_code, reason = "aya::Pod is unsafe to implement; this file is the only place")]

use super::*;

macro_rules! pod {
    ($($type:ty),+ $(,)?) => {
        $(
            // SAFETY: repr(C) or repr(transparent) of integers and byte arrays, padding is explicit
            // (the size assertion beside the type counts every byte), so every bit pattern is valid.
            unsafe impl aya::Pod for $type {}
        )+
    };
}

pod!(
    Live,
    Gate,
    crate::rules::Page,
    Source,
    Ban,
    SourceState,
    Strikes,
    TransactionKey,
    Transaction,
    Nonce,
    PeerKey,
    Peer,
    Asked,
    Shun,
    Signatures,
    Counter,
    Event,
    Rotation,
    Sending,
);
