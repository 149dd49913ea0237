//! What sets one PBX apart from another: its codes, its nonces, and what it says of old ones.

use crate::sip::md5_hex;

use super::peer::source_of;
use super::schedule::SECOND;
use std::net::IpAddr;

/// A PBX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Asterisk with `chan_pjsip`.
    Pjsip,
    /// Asterisk up to 20 with `chan_sip`.
    ChanSip,
    /// FreeSWITCH.
    FreeSwitch,
    /// Kamailio with its default configuration.
    Kamailio,
    /// OpenSIPS with its residential script.
    OpenSips,
    /// 3CX.
    ThreeCx,
}

/// What is answered to credentials on a nonce that is not taken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// stale=true, whatever the password.
    Stale,
    /// stale=true to the right password, another challenge to a wrong one.
    StaleIfRight,
    /// Another challenge without a word.
    Challenge,
}

impl Dialect {
    /// All of them.
    pub const EVERY: [Self; 6] =
        [Self::Pjsip, Self::ChanSip, Self::FreeSwitch, Self::Kamailio, Self::OpenSips, Self::ThreeCx];

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pjsip => "chan_pjsip",
            Self::ChanSip => "chan_sip",
            Self::FreeSwitch => "freeswitch",
            Self::Kamailio => "kamailio",
            Self::OpenSips => "opensips",
            Self::ThreeCx => "3cx",
        }
    }

    /// The code of a challenge.
    pub fn challenge(self, method: &str) -> u16 {
        match self {
            Self::Pjsip | Self::ChanSip => 401,
            Self::ThreeCx => 407,
            Self::FreeSwitch | Self::Kamailio | Self::OpenSips => {
                if method == "REGISTER" {
                    401
                } else {
                    407
                }
            }
        }
    }

    /// The code for a wrong password on a nonce that is good; None: another challenge.
    pub fn refusal(self, method: &str) -> Option<u16> {
        match self {
            Self::ChanSip | Self::FreeSwitch => Some(403),
            Self::ThreeCx if method == "REGISTER" => Some(404),
            Self::Pjsip | Self::Kamailio | Self::OpenSips | Self::ThreeCx => None,
        }
    }

    /// The code for a call without credentials that an open PBX does not connect; None: a challenge.
    pub const fn open_refusal(self) -> Option<u16> {
        match self {
            Self::Pjsip | Self::ChanSip | Self::FreeSwitch => Some(404),
            Self::Kamailio | Self::OpenSips => Some(403),
            Self::ThreeCx => None,
        }
    }

    /// What is said of an old nonce.
    pub const fn old(self) -> Old {
        match self {
            Self::Pjsip | Self::ChanSip | Self::ThreeCx => Old::StaleIfRight,
            Self::FreeSwitch | Self::OpenSips => Old::Stale,
            Self::Kamailio => Old::Challenge,
        }
    }

    /// How long a nonce is taken.
    pub const fn lifetime(self) -> u64 {
        match self {
            Self::Pjsip => 32 * SECOND,
            Self::ChanSip | Self::Kamailio => 300 * SECOND,
            Self::FreeSwitch | Self::ThreeCx => 60 * SECOND,
            Self::OpenSips => 30 * SECOND,
        }
    }

    /// Whether a nonce is taken once only.
    pub const fn is_single_use(self) -> bool {
        matches!(self, Self::ChanSip | Self::OpenSips)
    }

    /// Whether a nonce is taken from its receiver only.
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Pjsip | Self::ChanSip)
    }

    /// Whether OPTIONS are challenged.
    pub const fn challenges_options(self) -> bool {
        matches!(self, Self::Pjsip)
    }

    /// The nonce for this receiver now. `number` counts the challenges.
    pub fn nonce(self, receiver: IpAddr, now_ns: u64, number: u64) -> String {
        let second = now_ns / SECOND;
        let digest = |text: String| md5_hex(&text);
        match self {
            Self::Pjsip => format!("{second:010}/{}", digest(format!("{second}:{:x}", source_of(receiver).bits))),
            Self::ChanSip => digest(format!("{number}"))[..8].to_owned(),
            Self::FreeSwitch => {
                let hex = digest(format!("{number}"));
                format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
            Self::Kamailio => format!("{second:08X}{}", digest(format!("kamailio {second}"))),
            Self::OpenSips => format!("{second:08x}{number:08x}{}", digest(format!("opensips {number}"))),
            Self::ThreeCx => format!("414d5359{second:010x}:{}", digest(format!("3cx {number}"))),
        }
    }
}
