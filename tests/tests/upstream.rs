//! A carrier that refuses *us*: 401, 403 and 404 that arrive from outside count against nobody.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use sip_fw_e2e::actors::Client;
use sip_fw_e2e::family::source_name;
use sip_fw_e2e::registrar::{Dialect, Registrar, Settings};
use sip_fw_e2e::sip::Transport;
use sip_fw_e2e::{Bed, Family, Policy, Scene, over_both_families, require_agent};

const PATIENCE: Duration = Duration::from_secs(3);

over_both_families!(refusals_of_an_upstream_count_against_nobody);

fn refusals_of_an_upstream_count_against_nobody(family: Family) {
    let Some(binary) = require_agent() else { return };
    let dialects = [
        (401, Settings::standard()),
        (403, Settings { dialect: Dialect::Forbidden, ..Settings::standard() }),
        (404, Settings { unknown_is_404: true, ..Settings::standard() }),
    ];
    let scene = Scene::protect(binary, Bed::new().unwrap(), &Policy::default()).unwrap();
    let carrier = scene.bed.carrier.address(family);
    for (status, settings) in dialects {
        let carrier = Registrar::start(&scene.bed.carrier, settings).unwrap();
        // The trunk registration of a PBX leaves from its own SIP port.
        let (pbx, host) = (scene.bed.pbx.sip(family), &scene.bed.pbx);
        let mut trunk = Client::open(host, pbx, scene.bed.carrier.sip(family), Transport::Udp).unwrap();
        let user = if status == 404 { "nobody" } else { "1001" };
        for _ in 0..10 {
            let mut request = trunk.request("REGISTER", user);
            let first = trunk.transact(&request, PATIENCE).unwrap();
            let Some(challenge) = first.challenge() else {
                assert_eq!(first.status(), Some(status));
                continue;
            };
            request = request.next();
            request.extra = vec![challenge.answer(user, "wrong", "REGISTER", &request.uri)];
            assert_eq!(trunk.transact(&request, PATIENCE).unwrap().status(), Some(status));
        }
        drop(carrier);
    }
    scene.assert_nobody_banned();
    let said = scene.agent.source(&source_name(carrier)).unwrap();
    assert_eq!((said.failures(), said.drops), (0, 0), "{said:?}");
    let own = scene.agent.source(&source_name(scene.bed.pbx.address(family))).unwrap();
    assert_eq!((own.failures(), own.drops), (0, 0), "{own:?}");
}
