//! Splits a capture into what was kept and what was dropped. Blocks are copied byte by byte; headers go to both files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ReplayError;

/// A file that is written.
pub struct Part {
    path: PathBuf,
    file: BufWriter<File>,
}

/// The two files, where they are wanted.
#[derive(Default)]
pub struct Split {
    kept: Option<Part>,
    dropped: Option<Part>,
}

impl Split {
    /// Makes the files. None of them may be the capture itself, or the other.
    ///
    /// # Errors
    ///
    /// When a file cannot be made.
    pub fn create(capture: &Path, kept: Option<&Path>, dropped: Option<&Path>) -> Result<Self, ReplayError> {
        let kept = kept.map(|path| create(path, &[capture])).transpose()?;
        let mut taken = vec![capture];
        taken.extend(kept.iter().map(|part| part.path.as_path()));
        let dropped = dropped.map(|path| create(path, &taken)).transpose()?;
        Ok(Self { kept, dropped })
    }

    /// Writes a block that is no packet.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn both(&mut self, block: &[u8]) -> Result<(), ReplayError> {
        self.packet(block, false)?;
        self.packet(block, true)
    }

    /// Writes a packet.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn packet(&mut self, block: &[u8], is_dropped: bool) -> Result<(), ReplayError> {
        let part = if is_dropped { &mut self.dropped } else { &mut self.kept };
        part.as_mut().map_or(Ok(()), |part| part.file.write_all(block).map_err(|error| unwritable(&part.path, error)))
    }

    /// Makes sure that everything is in the files.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(self) -> Result<(), ReplayError> {
        for mut part in [self.kept, self.dropped].into_iter().flatten() {
            part.file.flush().map_err(|error| unwritable(&part.path, error))?;
        }
        Ok(())
    }
}

fn create(path: &Path, taken: &[&Path]) -> Result<Part, ReplayError> {
    let same = |other: &&Path| {
        let identity = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
        *path == **other || identity(path).is_some_and(|found| Some(found) == identity(other))
    };
    if taken.iter().any(same) {
        let error = io::Error::other("it is read or written already: allowed is a file of its own");
        return Err(unwritable(path, error));
    }
    let file = File::create(path).map_err(|error| unwritable(path, error))?;
    Ok(Part { path: path.to_owned(), file: BufWriter::new(file) })
}

fn unwritable(path: &Path, error: io::Error) -> ReplayError {
    ReplayError::Unwritable { file: path.display().to_string(), error }
}
