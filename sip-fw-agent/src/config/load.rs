//! From a file to a [`Config`], or to every fault in it.

use std::path::{Path, PathBuf};

use super::{Config, DEFAULT_FILE, FILE_BYTES_MAX, Faults, Paths, raw, resolved};
use crate::files::{ReadError, read_text};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: {error}{hint}", file = .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: ReadError,
        /// What to do.
        hint: &'static str,
    },
    /// The file is faulty.
    #[error("{0}")]
    Faulty(Faults),
}

/// Loads a configuration.
///
/// # Errors
///
/// When the file cannot be read, or anything in it is faulty: then with every fault.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let text = read(file)?;
    parse(file, &text).map_err(ConfigError::Faulty)
}

/// Reads the text of a configuration.
///
/// # Errors
///
/// When the file cannot be read.
pub fn read(file: &Path) -> Result<String, ConfigError> {
    read_text(file, FILE_BYTES_MAX).map_err(|error| {
        let hint = if error.is_missing() { "; it must at least say: interfaces = \"auto\"" } else { "" };
        ConfigError::Unreadable { file: file.to_owned(), error, hint }
    })
}

/// Understands the text of a configuration; the file is only named in faults.
///
/// # Errors
///
/// Every fault in it.
pub fn parse(file: &Path, text: &str) -> Result<Config, Faults> {
    let (raw, mut faults) = raw::read(text);
    match resolved::resolve(&raw, &mut faults) {
        Some(config) => Ok(config),
        None => {
            faults.sort_by_key(|fault| fault.line);
            Err(Faults { file: file.to_owned(), list: faults })
        }
    }
}

/// What a client needs to know: where the agent and its pins are, and the names of the services.
///
/// A faulty file must not keep an operator from lifting a ban: its faults are returned beside what could
/// be read. A missing default file means defaults.
///
/// # Errors
///
/// When the file cannot be read.
pub fn client_paths(file: &Path) -> Result<(Paths, Vec<String>, Option<Faults>), ConfigError> {
    match read_text(file, FILE_BYTES_MAX) {
        Ok(text) => match parse(file, &text) {
            Ok(config) => {
                let names = config.service_names();
                Ok((config.paths, names, None))
            }
            Err(faults) => Ok((resolved::paths(&raw::read(&text).0), Vec::new(), Some(faults))),
        },
        Err(error) if error.is_missing() && file == Path::new(DEFAULT_FILE) => {
            Ok((Paths::default(), vec!["sip".to_owned()], None))
        }
        Err(error) => Err(ConfigError::Unreadable { file: file.to_owned(), error, hint: "" }),
    }
}
