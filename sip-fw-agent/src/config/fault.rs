//! What is wrong in a configuration, said so that it can be mended at once.

use std::fmt;
use std::path::PathBuf;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line in the file, from 1; None for something that is missing from all of it.
    pub line: Option<usize>,
    /// Key with its table, such as `ban.threshold`.
    pub key: String,
    /// What is there.
    pub found: String,
    /// What may be there.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}; allowed: {}", self.key, self.found, self.allowed)
    }
}

/// Every fault of one file, in the order of its lines. Displayed one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub file: PathBuf,
    /// Its faults.
    pub list: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.list.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file.display())?;
            if let Some(line) = fault.line {
                write!(f, "{line}:")?;
            }
            write!(f, " {fault}")?;
        }
        Ok(())
    }
}
