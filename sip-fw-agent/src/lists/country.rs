//! The addresses of countries, from a database in MaxMind's form. Blocks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::file::Signature;
use super::net::{LIST_NETS_MAX, aggregated};
use crate::files::{self, ReadError};

/// Bytes of the largest database that is read; those of countries have 10 MB, those of cities 100.
const DATABASE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CountryError {
    /// It cannot be read.
    #[error("{0}")]
    File(#[from] ReadError),
    /// It is something else, or damaged.
    #[error("is no usable MaxMind database: {0}")]
    Database(#[from] MaxMindDbError),
    /// It says nothing of countries.
    #[error("is a MaxMind database, {0}, without country codes; GeoLite2-Country or one like it is needed")]
    NoCountries(String),
    /// More networks than allowed.
    #[error("has more than {LIST_NETS_MAX} networks for {0}")]
    TooMany(String),
}

/// What a database says of the countries that were asked for.
#[derive(Debug, Default)]
pub struct Countries {
    /// Their addresses, aggregated. A country without any is missing.
    pub nets: BTreeMap<String, Vec<IpNet>>,
    /// Every country in the database.
    pub known: BTreeSet<String>,
}

/// The part of a record that is read.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    country: Option<Place<'a>>,
    #[serde(borrow)]
    registered_country: Option<Place<'a>>,
}

#[derive(Deserialize)]
struct Place<'a> {
    iso_code: Option<&'a str>,
}

/// Reads the addresses of countries.
///
/// # Errors
///
/// When the file cannot be read or is no database of countries.
pub fn read(path: &Path, wanted: &BTreeSet<String>) -> Result<Countries, CountryError> {
    Signature::of(path)?;
    let reader = Reader::from_source(files::read(path, DATABASE_BYTES_MAX)?)?;
    // Many networks share a record: each is decoded once.
    let mut codes: HashMap<usize, Option<String>> = HashMap::new();
    let mut found: BTreeMap<String, Vec<IpNet>> = BTreeMap::new();
    for result in reader.networks(WithinOptions::default())? {
        let result = result?;
        let Some(offset) = result.offset() else { continue };
        let code = match codes.get(&offset) {
            Some(code) => code,
            None => codes.entry(offset).or_insert(result.decode::<Record<'_>>()?.and_then(|record| record.code())),
        };
        if let Some(code) = code.as_ref().filter(|code| wanted.contains(*code)) {
            let network = result.network()?;
            let Ok(net) = IpNet::new(network.ip(), network.prefix()) else { continue };
            let nets = found.entry(code.clone()).or_default();
            if nets.len() >= LIST_NETS_MAX {
                return Err(CountryError::TooMany(code.clone()));
            }
            nets.push(net);
        }
    }
    let known: BTreeSet<String> = codes.into_values().flatten().collect();
    if known.is_empty() {
        return Err(CountryError::NoCountries(reader.metadata().database_type.clone()));
    }
    Ok(Countries { nets: found.into_iter().map(|(code, nets)| (code, aggregated(nets))).collect(), known })
}

/// A database that is asked for single addresses.
#[derive(Debug)]
pub struct Locator(Reader<Vec<u8>>);

impl Locator {
    /// Opens a database.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no database.
    pub fn open(path: &Path) -> Result<Self, CountryError> {
        Ok(Self(Reader::from_source(files::read(path, DATABASE_BYTES_MAX)?)?))
    }

    /// The country of an address, if the database knows it.
    #[must_use]
    pub fn country_of(&self, address: IpAddr) -> Option<String> {
        self.0.lookup(address).ok()?.decode::<Record<'_>>().ok()??.code()
    }
}

impl Record<'_> {
    fn code(&self) -> Option<String> {
        let place = self.country.as_ref().and_then(|place| place.iso_code);
        place.or_else(|| self.registered_country.as_ref()?.iso_code).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_of_a_database() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/countries.mmdb");
        let wanted = ["JP", "US", "FR"].map(str::to_owned).into();
        let Countries { nets, known } = read(&path, &wanted).unwrap();
        let shown: Vec<_> = nets
            .iter()
            .map(|(code, nets)| {
                let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
                format!("{code}: {}", nets.join(" "))
            })
            .collect();
        assert_eq!(shown, ["JP: 192.0.2.0/24 2001:db8:1::/48", "US: 203.0.113.0/24"]);
        assert_eq!(known.into_iter().collect::<Vec<_>>(), ["DE", "JP", "US"]);
    }

    #[test]
    fn the_country_of_an_address() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/countries.mmdb");
        let locator = Locator::open(&path).unwrap();
        let country = |address: &str| locator.country_of(address.parse().unwrap());
        assert_eq!(country("192.0.2.7").as_deref(), Some("JP"));
        assert_eq!(country("2001:db8:1::7").as_deref(), Some("JP"));
        assert_eq!(country("10.0.0.1"), None);
        assert!(Locator::open(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn damaged_databases_are_refused() {
        let original = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/countries.mmdb")).unwrap();
        let path = std::env::temp_dir().join(format!("sip-fw-country-{}", std::process::id()));
        for (cut, _) in original.iter().enumerate().step_by(7) {
            std::fs::write(&path, &original[..cut]).unwrap();
            assert!(read(&path, &BTreeSet::new()).is_err(), "the first {cut} bytes");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read(&path, &BTreeSet::new()), Err(CountryError::File(ReadError::Io(_)))));
    }
}
