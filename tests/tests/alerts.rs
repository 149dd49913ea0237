//! Alerts by syslog, webhooks and hooks: whoever does not take them delays nobody, least of all a ban.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use sip_fw_e2e::actors::{Guess, Guesser, NonceHabit};
use sip_fw_e2e::agent::Agent;
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::peers::{Inbox, syslog_udp};
use sip_fw_e2e::registrar::{Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::wait::{PATIENCE, wait_for};
use sip_fw_e2e::{Bed, Family, Host, Policy, Scene, over_both_families, require_agent};

/// Ports of the carrier: nobody is there at first; somebody who never answers.
const GONE: u16 = 8080;
const DEAF: u16 = 8081;
const SYSLOG: u16 = 5514;

/// An answer of the agent that takes longer was held up.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A minute, and what it takes to notice.
const MINUTE: Duration = Duration::from_secs(90);

over_both_families!(a_ban_waits_for_nobody_who_is_told, syslog_and_hooks_are_told_and_replaced_by_a_reload,);

fn a_ban_waits_for_nobody_who_is_told(family: Family) {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let _registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let _deaf = Inbox::deaf(&bed.carrier, DEAF).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hook = folder.path().join("hook");
    let extra = [
        webhook("gone", &bed.carrier, family, GONE, "20"),
        webhook("deaf", &bed.carrier, family, DEAF, "20"),
        format!(
            "[syslog]\nto = \"tcp:{}\"\nevents = \"all\"\n",
            SocketAddr::new(bed.carrier.address(family), DEAF + 1)
        ),
        // Its own number first, so that the test finds it.
        exec(&format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", hook.display())),
    ];
    let mut scene = Scene::protect(binary, bed, &Policy { extra: extra.concat(), ..Policy::default() }).unwrap();
    let attacker = scene.bed.attacker.address(family);
    let mut guesser = guesser(&scene, family);
    assert_eq!(guess(&mut guesser), (5, Guess::Silence));
    scene.assert_banned_after(attacker, 5);
    assert_answers_at_once(&scene.agent);

    scene.agent.wait_for_event("degraded", "webhook \"gone\" fails: ").unwrap();
    scene.agent.wait_for_event("degraded", "webhook \"deaf\" fails: no complete answer in time").unwrap();
    scene.agent.wait_for_event("degraded", "syslog fails: Connection refused").unwrap();
    wait_for("the hook to run", PATIENCE, || hook.exists()).unwrap();
    assert_answers_at_once(&scene.agent);
    for name in ["gone", "deaf", "syslog"] {
        assert_eq!(alert(&scene.agent, name)["state"], "failing", "{name}");
    }
    // Nothing of the banned source passes meanwhile.
    let before = scene.sent_by(attacker);
    for n in 0..30 {
        guesser.shout(&format!("{n:05}"));
    }
    scene.wait_until_sent(attacker, before + 30);
    scene.assert_silenced_after(attacker, 5);

    let inbox = Inbox::http(&scene.bed.carrier, GONE).unwrap();
    wait_for("the ban to be told", 3 * PATIENCE, || !bans_in(&inbox).is_empty()).unwrap();
    let ban = bans_in(&inbox).remove(0);
    assert_eq!(
        (&ban["source"], &ban["evidence"], &ban["strikes"]),
        (&source_name(attacker).into(), &"proven".into(), &5.into())
    );
    scene.agent.wait_for_event("degraded", "webhook \"gone\" works again; alerts dropped since it started: 0").unwrap();
    let gone = alert(&scene.agent, "gone");
    assert_eq!(
        (&gone["kind"], &gone["state"], &gone["dropped"]),
        (&"webhook".into(), &"ok".into(), &0.into()),
        "{gone}"
    );
    let told: Vec<_> = inbox.events().iter().map(|event| event["reason"].to_string()).collect();
    assert!(told.iter().all(|reason| !reason.contains(" fails: ")), "of other alerts no alert tells: {told:?}");

    // The hook runs on; the end of the agent is its end.
    let pid = fs::read_to_string(&hook).unwrap();
    assert!(is_alive(&pid));
    let began = Instant::now();
    scene.agent.signal(Signal::SIGTERM);
    assert_eq!(scene.agent.wait_for_end().unwrap().code, 0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!is_alive(&pid), "the hook {pid}");
}

fn syslog_and_hooks_are_told_and_replaced_by_a_reload(family: Family) {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let _registrar = Registrar::start(&bed.pbx, Settings::standard()).unwrap();
    let udp = syslog_udp(&bed.pbx, family, SYSLOG).unwrap();
    let tcp = Inbox::syslog_tcp(&bed.pbx, SYSLOG).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let to = |transport: &str| {
        let address = SocketAddr::new(bed.pbx.address(family), SYSLOG);
        let hook = exec(&format!("echo {transport} $SIP_FW_EVENT $SIP_FW_SOURCE $(cat) >> {}", told.display()));
        let extra = format!("[syslog]\nto = \"{transport}:{address}\"\nfacility = \"local0\"\n{hook}");
        Policy { extra, ..Policy::default() }
    };
    let (over_udp, over_tcp) = (to("udp"), to("tcp"));
    let scene = Scene::protect(binary, bed, &over_udp).unwrap();
    let source = source_name(scene.bed.attacker.address(family));
    assert_eq!(guess(&mut guesser(&scene, family)), (5, Guess::Silence));
    let mut messages = Vec::new();
    wait_for("the ban over UDP", PATIENCE, || {
        messages.extend(datagram(&udp));
        messages.iter().any(|message| is_ban(message, &source))
    })
    .unwrap();
    wait_for("the ban to the hook", PATIENCE, || {
        lines(&told).iter().any(|line| line.starts_with(&format!("udp ban {source} {{")))
    })
    .unwrap();
    assert_eq!(tcp.told(), [""; 0]);

    scene.agent.configure(&over_tcp).unwrap();
    let outcome = scene.agent.apply(&[]).unwrap();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(scene.agent.call(&["ban", "203.0.113.9", "--reason", "é\"]"]).unwrap().code, 0);
    wait_for("the ban over TCP", PATIENCE, || tcp.told().iter().any(|message| is_ban(message, "203.0.113.9"))).unwrap();
    let expected = "reason=\"by operator: é\\\"\\]\"";
    assert!(tcp.told().iter().any(|message| message.contains(expected)), "{expected}: {:?}", tcp.told());
    wait_for("the ban to the other hook", PATIENCE, || {
        lines(&told).iter().any(|line| line.starts_with("tcp ban 203.0.113.9 {"))
    })
    .unwrap();
    assert_eq!(datagram(&udp), None, "the former syslog is told nothing");
    assert!(!lines(&told).iter().any(|line| line.starts_with("udp ban 203.0.113.9")), "nor is the former hook");
    for name in ["syslog", "hook"] {
        let view = alert(&scene.agent, name);
        assert_eq!((&view["state"], &view["dropped"]), (&"ok".into(), &0.into()), "{view}");
    }
}

/// The minute that this takes is the shortest there is.
#[test]
fn what_is_more_than_the_rate_is_said_when_the_minute_is_over() {
    let Some(binary) = require_agent() else { return };
    let bed = Bed::new().unwrap();
    let inbox = Inbox::http(&bed.carrier, GONE).unwrap();
    let extra = webhook("slow", &bed.carrier, Family::V4, GONE, "2");
    let agent = Agent::start(binary, &bed, &Policy { extra, ..Policy::default() }).unwrap();
    for n in 1..=6 {
        assert_eq!(agent.call(&["ban", &format!("203.0.113.{n}")]).unwrap().code, 0);
    }
    wait_for("the first two", PATIENCE, || bans_in(&inbox).len() == 2).unwrap();
    let began = Instant::now();
    wait_for("the rest of the minute", MINUTE, || bans_in(&inbox).len() > 2).unwrap();
    assert!(began.elapsed() > MINUTE / 2, "{:?}", began.elapsed());
    let told: Vec<_> = bans_in(&inbox).iter().map(|ban| (ban["source"].clone(), ban["more"].clone())).collect();
    let expected = [("203.0.113.1", Value::Null), ("203.0.113.2", Value::Null), ("203.0.113.6", 3.into())];
    assert_eq!(told, expected.map(|(source, more)| (source.into(), more)));
    let view = alert(&agent, "slow");
    assert_eq!((&view["sent"], &view["dropped"]), (&3.into(), &0.into()), "{view}");
}

fn webhook(name: &str, host: &Host, family: Family, port: u16, per_minute: &str) -> String {
    let to = SocketAddr::new(host.address(family), port);
    format!(
        "[[webhook]]\nname = \"{name}\"\nurl = \"http://{to}/\"\nevents = [\"ban\", \"degraded\"]\n\
         per_minute = {per_minute}\ntimeout = \"1s\"\n"
    )
}

fn exec(script: &str) -> String {
    format!(
        "[[exec]]\nname = \"hook\"\ncommand = [\"/bin/sh\", \"-c\", {script:?}]\nevents = \"ban\"\ntimeout = \"5m\"\n"
    )
}

fn bans_in(inbox: &Inbox) -> Vec<Value> {
    inbox.events().into_iter().filter(|event| event["event"] == "ban").collect()
}

/// How one of those who are told fares.
#[track_caller]
fn alert(agent: &Agent, name: &str) -> Value {
    let status = agent.json(&["status", "--json"]).unwrap();
    let found = status["alerts"].as_array().and_then(|list| list.iter().find(|alert| alert["name"] == name));
    found.cloned().unwrap_or_else(|| panic!("no {name} in {status}"))
}

/// Over the socket itself: starting a program takes time of its own.
#[track_caller]
fn assert_answers_at_once(agent: &Agent) {
    for _ in 0..20 {
        let began = Instant::now();
        let mut stream = UnixStream::connect(agent.folder().join("control.sock")).unwrap();
        stream.write_all(b"{\"verb\":\"status\"}\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert!(line.starts_with("{\"ok\":"), "{line}");
        assert!(began.elapsed() < AT_ONCE, "an answer after {:?}", began.elapsed());
    }
}

fn datagram(socket: &UdpSocket) -> Option<String> {
    let mut buffer = [0; 1 << 12];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// RFC 5424, facility local0, severity notice.
fn is_ban(message: &str, source: &str) -> bool {
    let data = format!(" ban [sip-fw@32473 event=\"ban\" source=\"{source}\" ");
    message.starts_with("<133>1 ") && message.contains(&data) && message.contains(&format!("ban {source} for "))
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn is_alive(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).exists()
}

/// Guesses until nobody answers.
fn guess(guesser: &mut Guesser) -> (u64, Guess) {
    let passwords: Vec<_> = (0..20).map(|n| format!("{n:04}")).collect();
    guesser.guess_all(passwords.iter().map(String::as_str))
}

fn guesser(scene: &Scene, family: Family) -> Guesser {
    let from = scene.bed.attacker.address(family);
    let pbx = scene.bed.pbx.sip(family);
    Guesser::new(&scene.bed.attacker, from, pbx, Transport::Udp, "1000", NonceHabit::Reuse).unwrap()
}
