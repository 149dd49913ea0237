//! Messages of the kernel programs themselves, for development. At level 0 they are compiled to nothing.

use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::KernelError;

/// Lines per second at most: packets cause them.
const LINES_PER_SECOND: u32 = 100;

/// Starts the thread that prints the messages to stderr. It ends with the process.
pub(super) fn start(ebpf: &mut Ebpf) -> Result<(), KernelError> {
    let logger = match EbpfLogger::init_with_logger(ebpf, Printer::default()) {
        Ok(logger) => logger,
        // The object has no message at all.
        Err(aya_log::Error::MapNotFound) => return Ok(()),
        Err(error) => return Err(KernelError::access("cannot read the kernel log", &error)),
    };
    std::thread::Builder::new()
        .name("kernel-log".to_owned())
        .spawn(move || follow(logger))
        .map_err(|error| KernelError::access("cannot start the kernel log thread", &error))?;
    Ok(())
}

fn follow(mut logger: EbpfLogger<Printer>) {
    loop {
        let mut waiting = [PollFd::new(logger.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => logger.flush(),
            Err(_) => return,
        }
    }
}

/// Prints messages, at most [`LINES_PER_SECOND`], and says how many it left out.
#[derive(Default)]
struct Printer {
    second: Mutex<Option<(Instant, u32)>>,
}

impl Log for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let Ok(mut second) = self.second.lock() else { return };
        let now = Instant::now();
        let (start, lines) = second.get_or_insert((now, 0));
        if now.duration_since(*start) >= Duration::from_secs(1) {
            if *lines > LINES_PER_SECOND {
                eprintln!("kernel: {} more messages", *lines - LINES_PER_SECOND);
            }
            (*start, *lines) = (now, 0);
        }
        *lines += 1;
        if *lines <= LINES_PER_SECOND {
            eprintln!("kernel: {}: {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}
