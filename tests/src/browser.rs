//! A headless Chromium that opens a file: what it made of it, and how it looks.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use png::{Decoder, Transformations};
use tempfile::TempDir;

use crate::process::Process;

/// The program.
pub const CHROMIUM: &str = "chromium";
/// A browser starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a browser drew.
#[derive(Debug)]
pub struct Picture {
    /// How many pixels have each colour, as 0xrrggbb.
    pub colours: HashMap<u32, usize>,
}

/// The document as the browser understands it.
pub fn document(page: &Path) -> Result<String> {
    browse(page, &["--dump-dom"])
}

/// Draws the page on a window of this size, into the file `png`.
pub fn screenshot(page: &Path, png: &Path, width: u32, height: u32) -> Result<Picture> {
    browse(
        page,
        &[&format!("--screenshot={}", png.display()), &format!("--window-size={width},{height}"), "--hide-scrollbars"],
    )?;
    let mut decoder = Decoder::new(BufReader::new(File::open(png).context("no screenshot")?));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a picture beyond all bounds")?];
    let frame = reader.next_frame(&mut pixels)?;
    let mut colours = HashMap::new();
    for pixel in pixels[..frame.buffer_size()].chunks_exact(frame.color_type.samples()) {
        let [red, green, blue, ..] = *pixel else { continue };
        *colours.entry(u32::from_be_bytes([0, red, green, blue])).or_default() += 1;
    }
    Ok(Picture { colours })
}

fn browse(page: &Path, arguments: &[&str]) -> Result<String> {
    let profile = TempDir::new()?;
    let mut command = Command::new(CHROMIUM);
    // Without its background services it asks nobody for anything.
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(arguments);
    command.arg(format!("file://{}", page.display())).env("HOME", profile.path());
    let mut browser = Process::spawn(command, None)?;
    let status = browser.wait(PATIENCE).with_context(|| browser.stderr())?;
    ensure!(status.success(), "chromium ended with {status}: {}", browser.stderr());
    Ok(browser.stdout())
}
