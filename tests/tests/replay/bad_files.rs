//! Files that are no capture, or only a part of one.

use std::fs;
use std::path::Path;

use crate::run::{PBX, data, replay};

#[test]
fn what_is_no_capture_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let mut unknown_link = fs::read(data("kam-stale.pcap")).unwrap();
    unknown_link[20] = 127;
    for (bytes, said) in [
        (b"".to_vec(), "an empty file; allowed are captures in pcap or pcapng format"),
        (b"INVITE sip:a SIP/2.0\r\n".to_vec(), "begins with the bytes 49 4e 56 49; allowed are"),
        (vec![0x1f, 0x8b, 8, 0], "unpack it first"),
        (fs::read(data("kam-stale.pcap")).unwrap()[..20].to_vec(), "ends within its header"),
        (unknown_link, "at byte 24: packets of link type 127; allowed are Ethernet (1)"),
    ] {
        fs::write(&file, bytes).unwrap();
        let Some(outcome) = replay(&file, &PBX, &[]) else { return };
        assert_eq!(outcome.code, 1, "{said}");
        assert!(outcome.stderr.contains(said), "{said}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(file.to_str().unwrap()), "names the file: {}", outcome.stderr);
    }
}

#[test]
fn a_cut_off_capture_is_replayed_up_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut");
    for name in ["sipp-brute-u1.pcap", "sip-488-codec-reject.pcapng"] {
        let whole = fs::read(data(name)).unwrap();
        fs::write(&file, &whole[..whole.len() - 7]).unwrap();
        let (Some(all), Some(cut)) = (replay(&data(name), &PBX, &[]), replay(&file, &PBX, &[])) else { return };
        assert_eq!(cut.code, 0, "{}", cut.stderr);
        assert!(cut.stderr.contains("cut off at byte"), "{}", cut.stderr);
        assert!(cut.summary()["packets"].as_u64() <= all.summary()["packets"].as_u64());
    }
}

#[test]
fn exit_codes() {
    let good = data("kam-stale.pcap");
    let code = |file: &Path, local: &[&str], more: &[&str]| replay(file, local, more).map(|outcome| outcome.code);
    let Some(done) = code(&good, &PBX, &[]) else { return };
    assert_eq!(done, 0);
    assert_eq!(code(Path::new("/nowhere.pcap"), &PBX, &[]), Some(1));
    assert_eq!(code(&good, &[], &[]), Some(2), "without --local");
    assert_eq!(code(&good, &["host.example"], &[]), Some(2));
    assert_eq!(code(&good, &PBX, &["--config", "/nowhere.toml"]), Some(2));
    assert_eq!(code(&good, &PBX, &["--write-kept", good.to_str().unwrap()]), Some(1), "the capture stays");
    assert_eq!(code(&good, &PBX, &["--write-kept", "/nowhere/kept"]), Some(1));
}
