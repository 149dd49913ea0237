//! Rows of the database: what the maps hold, with times of the wall clock and names for numbers.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, ToSql, params};
use sip_fw_common::abi::{Ban, BanOrigin, Evidence, Method, Peer, PeerKey, Strike, Strikes, Text, UNTIL_LIFTED_NS};
use sip_fw_common::limits::TEXT_BYTES;
use sip_fw_core::time::{Time, Timestamp, Until};

/// A ban, in force or remembered for the ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRow {
    /// An address or a prefix.
    pub source: String,
    /// When it began.
    pub since: Timestamp,
    /// When it ends, or ended.
    pub until: Until,
    /// Step of the ladder; 0 outside it.
    pub level: u8,
    /// Who decided it.
    pub origin: BanOrigin,
    /// On what.
    pub evidence: Evidence,
    /// Name of the service it began at.
    pub service: Option<String>,
    /// Strikes that led to it.
    pub strikes: u32,
    /// User tried last.
    pub user: Text,
    /// User-Agent seen last.
    pub user_agent: Text,
    /// Packets dropped.
    pub packets: u64,
    /// Bytes dropped.
    pub bytes: u64,
}

/// A known peer, or a user of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRow {
    /// Its address.
    pub source: String,
    /// See [`PeerKey`].
    pub user_hash: u64,
    /// Name of the user.
    pub user: Text,
    /// With which it was learned.
    pub method: Method,
    /// Whether over TCP.
    pub tcp: bool,
    /// Name of the service it uses.
    pub service: Option<String>,
    /// First success.
    pub first: Timestamp,
    /// Last success.
    pub last: Timestamp,
}

/// A proven failure within the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrikeRow {
    /// Who failed.
    pub source: String,
    /// When.
    pub time: Timestamp,
    /// Under which name.
    pub user_hash: u64,
}

impl BanRow {
    pub(super) const COLUMNS: &str =
        "source, since, until, level, origin, evidence, service, strikes, user, user_agent, packets, bytes";
    pub(super) const PUT: &str = "INSERT OR REPLACE INTO bans (source, since, until, level, origin, evidence, service, strikes, user, \
                           user_agent, packets, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

    /// Of an entry of the ban table.
    pub fn new(source: String, ban: &Ban, services: &[String], now: Time) -> Self {
        Self {
            source,
            since: now.wall_of(ban.since_ns),
            until: now.until(ban.until_ns),
            level: ban.level,
            origin: BanOrigin::from_number(ban.origin).unwrap_or(BanOrigin::Failures),
            evidence: Evidence::from_number(ban.evidence).unwrap_or(Evidence::Proven),
            service: services.get(usize::from(ban.service)).cloned(),
            strikes: ban.strikes,
            user: ban.user,
            user_agent: ban.user_agent,
            packets: ban.packets,
            bytes: ban.bytes,
        }
    }

    /// As an entry of the ban table. Where the wall clock is wrong after a boot, no ban lasts longer than it was to last at first.
    pub fn ban(&self, services: &[String], now: Time) -> Ban {
        let until_ns = match self.until {
            Until::Lifted => UNTIL_LIFTED_NS,
            Until::At(until) => {
                let length_ms = until.unix_ms.saturating_sub(self.since.unix_ms).max(0).unsigned_abs();
                let longest_ns = now.kernel_ns.saturating_add(length_ms.saturating_mul(1_000_000));
                now.kernel_of(until).min(longest_ns)
            }
        };
        Ban {
            until_ns,
            since_ns: now.kernel_of(self.since),
            packets: self.packets,
            bytes: self.bytes,
            strikes: self.strikes,
            level: self.level,
            origin: self.origin as u8,
            evidence: self.evidence as u8,
            service: number_of(self.service.as_deref(), services),
            user: self.user,
            user_agent: self.user_agent,
        }
    }

    pub(super) fn put(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        let until = match self.until {
            Until::At(until) => Some(until.to_string()),
            Until::Lifted => None,
        };
        statement.execute(params![
            self.source,
            self.since.to_string(),
            until,
            self.level,
            self.origin.name(),
            self.evidence.name(),
            self.service,
            self.strikes,
            Shown(self.user),
            Shown(self.user_agent),
            signed(self.packets),
            signed(self.bytes),
        ])?;
        Ok(())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let until: Option<Moment> = row.get(2)?;
        Ok(Self {
            source: row.get(0)?,
            since: row.get::<_, Moment>(1)?.0,
            until: until.map_or(Until::Lifted, |until| Until::At(until.0)),
            level: row.get(3)?,
            origin: name(row, 4, BanOrigin::from_name)?,
            evidence: name(row, 5, Evidence::from_name)?,
            service: row.get(6)?,
            strikes: row.get(7)?,
            user: row.get::<_, Shown>(8)?.0,
            user_agent: row.get::<_, Shown>(9)?.0,
            packets: row.get::<_, i64>(10)?.unsigned_abs(),
            bytes: row.get::<_, i64>(11)?.unsigned_abs(),
        })
    }
}

impl PeerRow {
    pub(super) const COLUMNS: &str = "source, user_hash, user, method, transport, service, first, last";
    pub(super) const PUT: &str = "INSERT OR REPLACE INTO peers (source, user_hash, user, method, transport, service, first, last) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    /// Of an entry of the table of known peers.
    pub fn new(source: String, key: PeerKey, peer: &Peer, services: &[String], now: Time) -> Self {
        Self {
            source,
            user_hash: key.user,
            user: peer.user,
            method: Method::from_number(peer.method).unwrap_or(Method::Other),
            tcp: peer.tcp != 0,
            service: services.get(usize::from(peer.service)).cloned(),
            first: now.wall_of(peer.first_ns),
            last: now.wall_of(peer.last_ns),
        }
    }

    /// As an entry of the table of known peers.
    pub fn peer(&self, services: &[String], now: Time) -> Peer {
        Peer {
            first_ns: now.kernel_of(self.first),
            last_ns: now.kernel_of(self.last).min(now.kernel_ns),
            tcp: u8::from(self.tcp),
            service: number_of(self.service.as_deref(), services),
            method: self.method as u8,
            _pad: [0; 5],
            user: self.user,
        }
    }

    pub(super) fn put(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        statement.execute(params![
            self.source,
            self.user_hash.cast_signed(),
            Shown(self.user),
            self.method.name(),
            if self.tcp { "tcp" } else { "udp" },
            self.service,
            self.first.to_string(),
            self.last.to_string(),
        ])?;
        Ok(())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            source: row.get(0)?,
            user_hash: row.get::<_, i64>(1)?.cast_unsigned(),
            user: row.get::<_, Shown>(2)?.0,
            method: name(row, 3, Method::from_name)?,
            tcp: row.get_ref(4)?.as_str()? == "tcp",
            service: row.get(5)?,
            first: row.get::<_, Moment>(6)?.0,
            last: row.get::<_, Moment>(7)?.0,
        })
    }
}

impl StrikeRow {
    pub(super) const COLUMNS: &str = "source, time, user_hash";
    pub(super) const PUT: &str = "INSERT INTO strikes (source, time, user_hash) VALUES (?1, ?2, ?3)";

    /// Of what a source did within a window.
    pub fn of(source: &str, strikes: &Strikes, window_ns: u64, now: Time) -> Vec<Self> {
        let recent = |strike: &&Strike| strike.time_ns > 0 && now.kernel_ns.saturating_sub(strike.time_ns) <= window_ns;
        let row = |strike: &Strike| Self {
            source: source.to_owned(),
            time: now.wall_of(strike.time_ns),
            user_hash: strike.user,
        };
        strikes.ring.iter().filter(recent).map(row).collect()
    }

    /// As an entry of the table of strikes.
    pub fn strikes(rows: &[Self], now: Time) -> Strikes {
        let mut strikes = Strikes::NONE;
        for (slot, row) in strikes.ring.iter_mut().zip(rows) {
            *slot = Strike { time_ns: now.kernel_of(row.time).min(now.kernel_ns), user: row.user_hash };
            strikes.written += 1;
        }
        strikes
    }

    pub(super) fn put(&self, statement: &mut Statement<'_>) -> rusqlite::Result<()> {
        statement.execute(params![self.source, self.time.to_string(), self.user_hash.cast_signed()])?;
        Ok(())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let user_hash = row.get::<_, i64>(2)?.cast_unsigned();
        Ok(Self { source: row.get(0)?, time: row.get::<_, Moment>(1)?.0, user_hash })
    }
}

/// SQLite has no larger numbers.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number_of(name: Option<&str>, services: &[String]) -> u8 {
    let number = services.iter().position(|service| Some(service.as_str()) == name);
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0)
}

fn name<T>(row: &Row<'_>, column: usize, of: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    Ok(of(row.get_ref(column)?.as_str()?).ok_or(FromSqlError::InvalidType)?)
}

/// A time of the database.
struct Moment(Timestamp);

impl FromSql for Moment {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

/// What was in a packet: text where it is text, bytes where it is not, nothing where it is empty.
struct Shown(Text);

impl ToSql for Shown {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = self.0.as_bytes();
        Ok(ToSqlOutput::Borrowed(match bytes {
            [] => ValueRef::Null,
            bytes if std::str::from_utf8(bytes).is_ok() => ValueRef::Text(bytes),
            bytes => ValueRef::Blob(bytes),
        }))
    }
}

impl FromSql for Shown {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let mut text = Text::EMPTY;
        let bytes = value.as_bytes_or_null()?.unwrap_or_default();
        for (to, from) in text.bytes.iter_mut().zip(bytes.iter().take(TEXT_BYTES)) {
            *to = *from;
        }
        Ok(Self(text))
    }
}
