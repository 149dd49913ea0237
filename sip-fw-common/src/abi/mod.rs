//! The layout of everything that crosses between kernel and user space.
//!
//! Rules: `repr(C)`, fixed-width integers, explicit padding, no `bool`, `Option` or data-carrying enum.
//! Sizes are asserted beside each type. A change of any of them is a new [`VERSION`].

mod event;
mod gate;
mod names;
#[cfg(feature = "user")]
mod pod;
pub mod seat;
mod source;
mod values;

pub use event::{Event, EventKind, Evidence, Known, Method};
pub use gate::Gate;
pub use names::{
    GLOBAL_SEAT_LINES, PORT_TABLE_LEN, PROGRAM_BENCH_DROP, PROGRAM_BENCH_EGRESS_FLOOR, PROGRAM_BENCH_FLOOR,
    PROGRAM_BENCH_INGRESS, PROGRAM_BENCH_READ, PROGRAM_BENCH_SEND, PROGRAM_EGRESS, PROGRAM_INGRESS, RULE_SET_BEFORE,
    RULE_SET_IN_FORCE, RULE_SETS_LEN, map, port_slot,
};
pub use seat::{Line, Seat};
pub use source::Source;
pub use values::{
    Asked, Ban, BanOrigin, Counter, Live, Nonce, Peer, PeerKey, PrefixKey, Rate, Rotation, Sending, ServiceKind,
    Settings, Shun, Signature, Signatures, SourceState, Strike, Strikes, Text, Transaction, TransactionKey,
    UNTIL_LIFTED_NS,
};

/// Version of this layout; part of the pin path, so that programs of two versions never share a map.
pub const VERSION: u32 = 8;

/// The oldest version whose links and tables are taken over.
pub const OLDEST_VERSION: u32 = 5;

/// An enum with stable numbers and names that travels as its number.
macro_rules! number_enum {
    ($(#[$meta:meta])* pub enum $name:ident: $repr:ty { $($(#[$vmeta:meta])* $variant:ident = $number:literal => $text:literal,)+ }) => {
        $(#[$meta])*
        #[repr($repr)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant = $number,)+ }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value with this number, if there is one.
            #[must_use]
            pub const fn from_number(number: $repr) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The name used in the CLI, in events and in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value with this name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use number_enum;
