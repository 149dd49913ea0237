//! Every file of the corpus keeps the property of its target, as at the time when it was found.

use std::fs;
use std::panic;
use std::path::Path;

use sip_fw_fuzz::TARGETS;

#[test]
fn every_file_keeps_the_property_of_its_target() {
    let mut faults = Vec::new();
    for target in TARGETS {
        let files = target.corpus();
        assert!(files.len() >= 5, "{} has {} files", target.name, files.len());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if panic::catch_unwind(|| (target.check)(&bytes)).is_err() {
                faults.push(file.display().to_string());
            }
        }
    }
    assert!(faults.is_empty(), "what each says stands above: {faults:#?}");
}

#[test]
fn every_folder_has_a_target() {
    let names = TARGETS.map(|target| target.name);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let entries = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path());
    for folder in entries.filter(|path| path.is_dir()) {
        assert!(names.contains(&folder.file_name().unwrap().to_str().unwrap()), "{}", folder.display());
    }
    for name in names {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        assert!(program.is_file(), "{} is missing", program.display());
    }
}
