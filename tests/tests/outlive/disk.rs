//! A full, a read-only and a broken disk: told, survived, and made good for.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount, umount};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::wire::Tap;
use sip_fw_e2e::{Bed, Family, Scene, require, require_agent};

use super::stage::{THRESHOLD, guess_until_banned, guesser_at, long_bans, protected, reboot};

/// A small disk below the state folder; unmounted when it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some("size=2m")).unwrap();
        Self(folder.to_owned())
    }

    fn remount(&self, flags: MsFlags) -> nix::Result<()> {
        mount(None::<&str>, &self.0, None::<&str>, MsFlags::MS_REMOUNT | flags, Some("size=2m"))
    }

    /// Writes until nothing more fits.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The agent that uses it ends before it; should that have failed, the mount goes with the namespace of the test.
        let _ = umount(&self.0);
    }
}

/// The disk outlives the agent that writes to it.
fn on_a_disk() -> Option<(Registrar, Scene, Disk)> {
    let binary = require_agent()?;
    if !require("sqlite3") {
        return None;
    }
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let mut agent = Agent::prepare(binary, &bed, &long_bans()).unwrap();
    let disk = Disk::mount(&agent.folder().join("state"));
    agent.restart().unwrap();
    let inside = Tap::inside(&bed.pbx).unwrap();
    let cable = Tap::cable(&bed, &bed.pbx).unwrap();
    Some((registrar, Scene { agent, inside, cable, bed }, disk))
}

fn state(scene: &Scene) -> String {
    scene.agent.json(&["status", "--json"]).unwrap()["store"]["state"].as_str().unwrap_or_default().to_owned()
}

fn ban_one(scene: &Scene, n: u16) -> String {
    let attacker = scene.bed.attacker.nth(Family::V4, n);
    assert_eq!(guess_until_banned(&mut guesser_at(scene, attacker, Family::V4)), THRESHOLD as u64);
    scene.assert_banned_after(attacker, THRESHOLD);
    source_name(attacker)
}

fn stored(scene: &Scene) -> Vec<String> {
    let rows = scene.agent.ask_store("SELECT source FROM bans ORDER BY source").unwrap();
    rows.lines().map(str::to_owned).collect()
}

fn end(scene: &mut Scene) {
    scene.agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(scene.agent.wait_for_end().unwrap().code, 0);
}

#[test]
fn a_full_disk() {
    let Some((_registrar, mut scene, disk)) = on_a_disk() else { return };
    let first = ban_one(&scene, 1);
    wait_for("the first ban on disk", PATIENCE, || stored(&scene) == [first.clone()]).unwrap();
    let filler = disk.fill();
    let second = ban_one(&scene, 2);
    scene.agent.wait_for_event("degraded", "cannot be written").unwrap();
    assert_eq!(state(&scene), "degraded");
    fs::remove_file(filler).unwrap();
    wait_for("the store to work again", 4 * PATIENCE, || state(&scene) == "ok").unwrap();
    assert_eq!(stored(&scene), [first, second]);
    end(&mut scene);
}

#[test]
fn a_read_only_disk() {
    let Some((_registrar, mut scene, disk)) = on_a_disk() else { return };
    let first = ban_one(&scene, 1);
    wait_for("the first ban on disk", PATIENCE, || stored(&scene) == [first.clone()]).unwrap();
    end(&mut scene);
    reboot(&scene.agent, &scene.bed.pbx);
    disk.remount(MsFlags::MS_RDONLY).unwrap();
    // After a reboot what is on it is in force, though nothing can be written.
    scene.agent.restart().unwrap();
    assert!(scene.agent.has_banned(&first).unwrap());
    let second = ban_one(&scene, 2);
    scene.agent.wait_for_event("degraded", "cannot be written").unwrap();
    assert_eq!(state(&scene), "degraded");
    disk.remount(MsFlags::empty()).unwrap();
    wait_for("the store to work again", 4 * PATIENCE, || state(&scene) == "ok").unwrap();
    assert_eq!(stored(&scene), [first, second]);
    end(&mut scene);
}

#[test]
fn a_database_that_breaks_under_a_running_agent() {
    let Some((_registrar, mut scene)) = protected(&long_bans()) else { return };
    if !require("sqlite3") {
        return;
    }
    let first = ban_one(&scene, 1);
    wait_for("the first ban on disk", PATIENCE, || stored(&scene) == [first.clone()]).unwrap();
    let path = scene.agent.store();
    // Its log goes into it first, so that what is broken is what is read.
    sqlite_writing(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[0x5a; 8192]).unwrap();
    drop(file);
    let second = ban_one(&scene, 2);
    scene.agent.wait_for_event("degraded", "is kept as").unwrap();
    wait_for("both bans in a new database", 4 * PATIENCE, || stored(&scene) == [first.clone(), second.clone()])
        .unwrap();
    assert_eq!(state(&scene), "ok");
    let kept = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("state.db.corrupt-"));
    assert!(kept);
    end(&mut scene);
    reboot(&scene.agent, &scene.bed.pbx);
    scene.agent.restart().unwrap();
    assert!(scene.agent.has_banned(&first).unwrap() && scene.agent.has_banned(&second).unwrap());
}

fn sqlite_writing(database: &Path, query: &str) {
    let output = std::process::Command::new("sqlite3").arg(database).arg(query).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_broken_database_at_the_start_loses_nothing_that_the_kernel_knows() {
    let Some((_registrar, mut scene)) = protected(&long_bans()) else { return };
    let first = ban_one(&scene, 1);
    end(&mut scene);
    fs::write(scene.agent.store(), "nonsense ".repeat(1000)).unwrap();
    scene.agent.restart().unwrap();
    scene.agent.wait_for_event("degraded", "is kept as").unwrap();
    assert!(scene.agent.has_banned(&first).unwrap());
    end(&mut scene);
    reboot(&scene.agent, &scene.bed.pbx);
    scene.agent.restart().unwrap();
    assert!(scene.agent.has_banned(&first).unwrap());
}
