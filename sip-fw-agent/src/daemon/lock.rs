//! One agent at a time: a lock that the kernel releases when its holder dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;

/// Held as long as the agent lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock beside the control socket.
///
/// # Errors
///
/// When another agent holds it; the message says which.
pub fn take(socket: &Path) -> Result<Lock, Failure> {
    let path = path(socket);
    let fail = |error: std::io::Error| Failure::new(ExitCode::Failed, format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut pid);
            let pid = pid.trim();
            let who = if pid.is_empty() { "another agent".to_owned() } else { format!("another agent (pid {pid})") };
            return Err(Failure::new(ExitCode::Failed, format!("{who} holds {}", path.display())));
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    file.set_len(0).map_err(fail)?;
    writeln!(file, "{}", std::process::id()).map_err(fail)?;
    Ok(Lock { _file: file })
}

fn path(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_agent_is_refused() {
        let folder = std::env::temp_dir().join(format!("sip-fw-lock-{}", std::process::id()));
        let socket = folder.join("control.sock");
        let first = take(&socket).unwrap();
        let second = take(&socket).map(drop).unwrap_err();
        let expected = format!("another agent (pid {}) holds {}.lock", std::process::id(), socket.display());
        assert_eq!((second.exit, second.message), (ExitCode::Failed, expected));
        drop(first);
        assert!(take(&socket).is_ok());
        fs::remove_dir_all(&folder).unwrap();
    }
}
