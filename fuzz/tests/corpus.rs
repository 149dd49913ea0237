//! Every file of the corpus keeps the property of its target, as at the time when it was found.
#![expect(clippy::unwrap_used, reason = "a corpus that cannot be read has failed")]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use sip_fw_fuzz::{TARGETS, Target};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_file_keeps_the_property_of_its_target() {
    let mut faults = Vec::new();
    for Target { name, check } in TARGETS {
        let files = files(&corpus().join(name));
        assert!(files.len() >= 5, "{name} has {} files", files.len());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if panic::catch_unwind(|| check(&bytes)).is_err() {
                faults.push(file.display().to_string());
            }
        }
    }
    assert!(faults.is_empty(), "what each says stands above: {faults:#?}");
}

#[test]
fn every_folder_has_a_target() {
    let names = TARGETS.map(|target| target.name);
    for folder in files(&corpus()).iter().filter(|path| path.is_dir()) {
        assert!(names.contains(&folder.file_name().unwrap().to_str().unwrap()), "{}", folder.display());
    }
    for name in names {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        assert!(program.is_file(), "{} is missing", program.display());
    }
}
