//! `sip-fw top` on a real terminal of 80×24 during an attack: what it shows, what its keys do, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::process::Command;

use nix::sys::signal::Signal;
use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit};
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::screen::Screen;
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Agent, Bed, Family, Policy, Scene, require_agent};

const ATTACKER: &str = "10.98.2.1";

#[test]
fn an_attack_is_seen_and_its_ban_lifted_and_written_by_keys() {
    let Some((_registrar, scene)) = protected() else { return };
    let mut guesser = attack(&scene);
    let mut screen = top(&scene.agent);
    screen
        .wait_for(&format!("{ATTACKER}  5 auth failures; users 1000; User-Agent \"friendly-registrar 1.0\""))
        .unwrap();
    screen.wait_for("1 ban: step 1: 1").unwrap();
    screen.wait_for(&format!("ban {ATTACKER} for 1m (level 1): 5 auth failures within 10m")).unwrap();
    assert!(screen.has_colour());

    screen.press("u").unwrap();
    screen.wait_for(&format!("let {ATTACKER} in again? (y/n)")).unwrap();
    assert!(scene.agent.has_banned(ATTACKER).unwrap(), "nothing is done before the answer");
    screen.press("y").unwrap();
    screen.wait_for(&format!("{ATTACKER} is free")).unwrap();
    scene.assert_nobody_banned();
    assert_eq!(guesser.guess("wrong"), Guess::Refused(401));

    screen.press("b\r").unwrap();
    screen.wait_for(&format!("ban {ATTACKER} for 1h? (y/n)")).unwrap();
    screen.press("y").unwrap();
    screen.wait_for(&format!("{ATTACKER} is banned")).unwrap();
    assert!(scene.agent.has_banned(ATTACKER).unwrap());
    assert_eq!(guesser.guess("wrong"), Guess::Silence);

    screen.press("\r").unwrap();
    screen.wait_for("to a service: dropped; to any other port: passed").unwrap();
    screen.press("q\t").unwrap();
    screen.wait_for("1 bans and shuns, newest first").unwrap();
    screen.press("/10.98.9\r").unwrap();
    screen.wait_for("0 bans and shuns, newest first, only \"10.98.9\"").unwrap();
    screen.press("q").unwrap();
    assert!(screen.wait_for_end().unwrap().success());
    assert!(screen.is_as_before().unwrap(), "{}", screen.text());
}

#[test]
fn what_the_agent_refuses_is_said_over_a_picture_that_is_held() {
    let Some((_registrar, scene)) = protected() else { return };
    attack(&scene);
    let mut screen = top(&scene.agent);
    screen.wait_for("1 ban: step 1: 1").unwrap();
    screen.wait_for("banned").unwrap();
    screen.press("p").unwrap();
    screen.wait_for("HELD").unwrap();
    assert_eq!(scene.agent.call(&["unban", ATTACKER]).unwrap().code, 0);
    screen.press("u").unwrap();
    screen.wait_for("(y/n)").unwrap();
    screen.press("y").unwrap();
    screen.wait_for(&format!("{ATTACKER} is not banned")).unwrap();
    screen.press("p").unwrap();
    screen.wait_for("no bans").unwrap();
}

#[test]
fn it_waits_for_an_agent_that_went_away() {
    let Some((_registrar, mut scene)) = protected() else { return };
    attack(&scene);
    let mut screen = top(&scene.agent);
    screen.wait_for("1 ban: step 1: 1").unwrap();
    scene.agent.kill9();
    screen.wait_for("NO AGENT for ").unwrap();
    assert!(screen.text().contains(ATTACKER), "the last picture stays: {}", screen.text());
    screen.press("uy").unwrap();
    screen.wait_for("goes on banning").unwrap();
    scene.agent.restart().unwrap();
    screen
        .wait_until("the agent again", |shown| !shown.contains("NO AGENT") && shown.contains("agent-started"))
        .unwrap();
    assert!(screen.text().contains(ATTACKER), "{}", screen.text());
    screen.press("uy").unwrap();
    screen.wait_for(&format!("{ATTACKER} is free")).unwrap();
    scene.assert_nobody_banned();
}

#[test]
fn however_it_ends_the_terminal_is_as_before() {
    let Some((_registrar, scene)) = protected() else { return };
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut command = command(&scene.agent);
        command.env("NO_COLOR", "1");
        let mut screen = Screen::start(command, 80, 24).unwrap();
        screen.wait_for("latest events").unwrap();
        assert!(!screen.is_as_before().unwrap() && !screen.has_colour());
        screen.signal(signal).unwrap();
        assert!(screen.wait_for_end().unwrap().success(), "{signal}");
        wait_for("the terminal to be as before", PATIENCE, || screen.is_as_before().unwrap()).unwrap();
    }
}

#[test]
fn without_an_agent_or_a_terminal_it_says_so() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let agent = Agent::prepare(binary, &bed, &Policy::default()).unwrap();
    let mut screen = Screen::start(command(&agent), 80, 24).unwrap();
    assert_eq!(screen.wait_for_end().unwrap().code(), Some(4));
    screen.wait_for("no agent answers at ").unwrap();
    assert!(screen.is_as_before().unwrap());
    let outcome = agent.call(&["top"]).unwrap();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("top is for people at a terminal"), "{}", outcome.stderr);
}

fn attack(scene: &Scene) -> Guesser {
    let from = scene.bed.attacker.address(Family::V4);
    let pbx = scene.bed.pbx.sip(Family::V4);
    let mut guesser = Guesser::new(&scene.bed.attacker, from, pbx, Transport::Udp, "1000", NonceHabit::Reuse).unwrap();
    assert_eq!(guesser.guess_all(["a", "b", "c", "d", "e", "f", "g"]), (5, Guess::Silence));
    scene.assert_banned_after(from, 5);
    guesser
}

fn top(agent: &Agent) -> Screen {
    Screen::start(command(agent), 80, 24).unwrap()
}

fn command(agent: &Agent) -> Command {
    let mut command = Command::new(agent.binary());
    command.arg("--config").arg(agent.config()).arg("top").env_remove("NO_COLOR");
    command
}

fn protected() -> Option<(Registrar, Scene)> {
    let binary = require_agent()?;
    let bed = Bed::new().unwrap();
    let registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    Some((registrar, Scene::protect(binary, bed, &Policy::default()).unwrap()))
}
