//! What the programs may cost.

mod program;
mod run;
mod stack;

use sip_fw_agent::kernel::{DryRun, TableSizes, kernel_release};
use sip_fw_common::abi::{PROGRAM_EGRESS, PROGRAM_INGRESS, map};
use sip_fw_common::reason::Reason;

use crate::frames::{Path, UDP4};
use crate::rig::{Ask, Rig};
use program::Program;

#[test]
fn the_verifier_has_room_to_spare() {
    let rig = Rig::new();
    let [ingress, egress] = rig.run.costs().unwrap();
    println!("ingress {ingress:?}\negress {egress:?}");
    // Of a million. Linux 6.1 walks most of ingress: docs/kernel-support.md says what each walks.
    let release = kernel_release();
    let of_ingress = if release.starts_with("6.1.") { 700_000 } else { 450_000 };
    assert!((1..of_ingress).contains(&ingress.verified_instructions), "{release}: {ingress:?}");
    assert!((1..400_000).contains(&egress.verified_instructions), "{release}: {egress:?}");
    assert!(ingress.translated_bytes < 60_000 && egress.translated_bytes < 60_000);
}

#[test]
fn the_stack_has_room_for_another_frame() {
    for name in [PROGRAM_INGRESS, PROGRAM_EGRESS] {
        let program = Program::linked(name);
        let frames: Vec<u32> = program.functions().values().map(|code| stack::frame(code)).collect();
        let deepest = stack::deepest(&program);
        println!("{name}: {deepest} bytes at the deepest; its functions {frames:?}");
        // Of 512, and no frame has less than 32.
        assert!((64..=480).contains(&deepest), "{name}: {deepest} bytes, of functions with {frames:?}");
    }
}

#[test]
fn tables_take_no_more_memory_than_allowed() {
    let of = |sizes: &TableSizes| DryRun::load(sizes).unwrap().map_bytes().unwrap();
    let default = of(&TableSizes::DEFAULT);
    // The largest take gigabytes, which few machines that run this have to spare: what they take is foretold from smaller ones, as
    // the kernel allocates all entries when it makes a table. Bans of prefixes take memory as they come.
    let of_each = |entries| of(&TableSizes { ban_prefixes: 16, ..TableSizes::same(entries) });
    let (small, twice) = (of_each(1 << 14), of_each(1 << 15));
    let per_entry = (twice - small) >> 14;
    let foretold = |entries: u64| twice + per_entry * (entries - (1 << 15));
    let measured = of_each(1 << 16);
    assert!(measured.abs_diff(foretold(1 << 16)) < measured / 100, "{measured}, foretold was {}", foretold(1 << 16));
    let largest = foretold(TableSizes::LARGEST.bans.into());
    println!(
        "tables: {} KiB by default, {} MiB at most, {per_entry} bytes an entry of each",
        default >> 10,
        largest >> 20
    );
    assert!((1 << 20..80 << 20).contains(&default), "{default} bytes");
    assert!((1 << 30..13 << 29).contains(&largest), "{largest} bytes");
}

#[test]
fn a_packet_that_passes_looks_into_few_maps() {
    let mut rig = Rig::new();
    let media = Path { local_port: 12_000, ..UDP4 };
    let answer_of_dns = Path { peer_port: 53, local_port: 41_000, ..UDP4 };
    for frame in [media.arriving(&[0x80; 172]), answer_of_dns.arriving(&[0x12; 120])] {
        let outcome = run::run(&run::ARRIVING, &frame);
        assert_eq!(outcome.looked_into, [map::GATE, map::COUNTERS]);
        assert_eq!((outcome.returned, outcome.counted), (2, 1));
        assert_eq!(rig.arrive(&frame).1, Reason::NoService);
    }
    let frame = media.leaving(&[0x80; 172]);
    let outcome = run::run(&run::LEAVING, &frame);
    assert_eq!(outcome.looked_into, [map::GATE, map::COUNTERS]);
    assert_eq!((outcome.returned, outcome.counted), (u32::MAX, 1));
    assert_eq!(rig.leave(&frame), Reason::OutOther);
}

#[test]
fn media_costs_hardly_more_than_nothing() {
    let rig = Rig::new();
    let message = UDP4.arriving(b"\r\n\r\n");
    let media = Path { local_port: 12_000, ..UDP4 };
    let (arriving, leaving) = (media.arriving(&[0x80; 172]), media.leaving(&[0x80; 172]));
    let median = |time: &dyn Fn() -> u128| {
        let mut times: Vec<_> = (0..15).map(|_| time()).collect();
        times.sort_unstable();
        times[7]
    };
    let inspected = median(&|| rig.run.time_ingress(&message, 20_000).unwrap().as_nanos());
    let arrives = median(&|| rig.run.time_ingress(&arriving, 20_000).unwrap().as_nanos());
    let leaves = median(&|| rig.run.time_egress(&leaving, 20_000).unwrap().as_nanos());
    println!("keep-alive: {inspected} ns, media arriving: {arrives} ns, leaving: {leaves} ns");
    // It asks for no rule set, let alone for a source: a fifth when alone on the machine, the harness's share included.
    assert!(2 * arrives < inspected && 2 * leaves < inspected, "{arrives} ns and {leaves} ns against {inspected} ns");
}

#[test]
fn a_whole_register_is_read_in_little_time() {
    let rig = Rig::new();
    let register = UDP4.arriving(Ask::attempt("REGISTER", "abcdefghijklmnopqrstuvwxyz").text("z9hG4bK-1").as_bytes());
    let passed = UDP4.arriving(b"\r\n\r\n");
    let median = |frame: &[u8]| {
        let mut times: Vec<_> = (0..15).map(|_| rig.run.time_ingress(frame, 20_000).unwrap().as_nanos()).collect();
        times.sort_unstable();
        times[7]
    };
    let (full, floor) = (median(&register), median(&passed));
    println!("REGISTER of {} bytes: {full} ns, keep-alive: {floor} ns", register.len() - 42);
    assert!(full < 40 * floor.max(20), "{full} ns against {floor} ns");
}
