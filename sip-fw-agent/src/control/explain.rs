//! Everything that is known of one source, and what would happen to its packets now.

use sip_fw_common::abi::{Ban, ServiceKind, Settings, Shun};
use sip_fw_common::ladder;
use sip_fw_core::SCHEMA;
use sip_fw_core::controller::Controller;
use sip_fw_core::duration::Short;
use sip_fw_core::source::{Target, show_net};
use sip_fw_core::time::{Time, Until};

use super::answer::{covering, parse_target, strikes_within};
use super::protocol::Failure;
use super::view::{BanView, ExplainView, NextBanView, PacketsView, ServiceView, ShunView, SourceView, StrikesView};
use crate::exit_code::ExitCode;
use crate::kernel::Tables;

/// Explains one source, and what would happen to it at every port, or at those of the service that was asked for.
pub(super) fn explain(
    tables: &Tables,
    controller: &Controller,
    address: &str,
    asked: Option<ServiceView>,
    now: Time,
) -> Result<ExplainView, Failure> {
    let Target::Source(source) = parse_target(controller, address)? else {
        return Err(Failure::new(ExitCode::Usage, "explain takes one address; for prefixes see sip-fw bans"));
    };
    let settings = &controller.rules().settings;
    let services = &controller.rules().services;
    let ipv6 = controller.ipv6();
    let shown = ipv6.show(source);
    let ban = tables.ban(source)?;
    let prefix_bans = covering(tables, ipv6.net(source), now)?;
    let count = strikes_within(tables.strikes(source)?.as_ref(), ban.as_ref(), settings.window_ns, now);
    let counters = tables.source(source)?;
    let memory = controller.page(source).cloned();
    let step = ladder::next(settings, ban.as_ref(), now.kernel_ns);
    let active = ban.filter(|ban| ban.until_ns > now.kernel_ns);
    let shun = tables.shun(source)?.filter(|shun| shun.until_ns > now.kernel_ns);
    let known = ban.is_some()
        || shun.is_some()
        || !prefix_bans.is_empty()
        || counters.is_some()
        || memory.is_some()
        || count > 0;
    let prefix_views: Vec<_> =
        prefix_bans.iter().map(|(prefix, ban)| BanView::new(show_net(*prefix), ban, services, now)).collect();
    Ok(ExplainView {
        schema: SCHEMA,
        known,
        ban: ban.map(|ban| BanView::new(shown.clone(), &ban, services, now)),
        next_ban: NextBanView { level: step.level, length_seconds: step.length_ns / 1_000_000_000 },
        strikes: StrikesView {
            count,
            threshold: settings.threshold,
            window_seconds: settings.window_ns / 1_000_000_000,
        },
        counters: counters
            .map(|did| SourceView::new(shown.clone(), &did, ban.as_ref(), !prefix_bans.is_empty(), count, now)),
        memory,
        now: packets(settings, active.is_some() || !prefix_bans.is_empty(), shun.is_some(), asked),
        clears: clears(&shown, (active.as_ref(), shun.as_ref()), &prefix_views, count, settings, now),
        shun: shun.map(|shun| ShunView::new(shown.clone(), &shun, now)),
        prefix_bans: prefix_views,
        source: shown,
        access: Vec::new(),
    })
}

fn packets(settings: &Settings, banned: bool, shunned: bool, asked: Option<ServiceView>) -> PacketsView {
    let word = |closed| match (closed, settings.observe) {
        (false, _) => "pass",
        (true, 0) => "drop",
        (true, _) => "would-drop",
    };
    let gate = word(banned);
    // A shun closes SIP services alone.
    let is_sip = asked.as_ref().is_none_or(|service| service.kind == ServiceKind::Sip.name());
    let service = word(banned || shunned && is_sip);
    let other = if settings.scope_host == 0 { "pass" } else { gate };
    let other = asked.is_none().then(|| other.to_owned());
    PacketsView { asked, service: service.to_owned(), other }
}

fn clears(
    source: &str,
    (active, shun): (Option<&Ban>, Option<&Shun>),
    prefixes: &[BanView],
    strikes: u32,
    settings: &Settings,
    now: Time,
) -> String {
    let mut ways = Vec::new();
    if let Some(ban) = active {
        ways.push(match now.until(ban.until_ns) {
            Until::At(time) => format!("the ban ends at {time}, or now with: sip-fw unban {source}"),
            Until::Lifted => format!("only this ends the ban: sip-fw unban {source}"),
        });
    }
    if let Some(shun) = shun {
        let end = now.wall_of(shun.until_ns);
        ways.push(format!("the shun ends at {end} unless its packets go on, or now with: sip-fw unban {source}"));
    }
    for prefix in prefixes {
        ways.push(match prefix.until {
            Until::At(time) => format!("the ban of {0} ends at {time}, or now with: sip-fw unban {0}", prefix.source),
            Until::Lifted => format!("only this ends the ban of {0}: sip-fw unban {0}", prefix.source),
        });
    }
    if strikes > 0 {
        let window = Short::nanos(settings.window_ns);
        ways.push(format!("a strike fades after {window}, and those of a user when he authenticates"));
    }
    if ways.is_empty() { "nothing to clear".to_owned() } else { ways.join("; ") }
}
