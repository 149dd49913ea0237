//! `export`: the bans as data. Read from the kernel's tables, so that a long list costs the agent nothing.

use super::{CliError, Site};
use crate::bulk::{self, Entry};
use crate::clock;
use crate::control::answer::controller_of;
use crate::control::client::no_agent;
use crate::control::protocol::Failure;
use crate::exit_code::ExitCode;
use crate::kernel::Tables;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Json)]
    format: Form,
    /// Also bans that ended and are remembered for the ladder; json alone can say so
    #[arg(long)]
    ended: bool,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One JSON object per line, with deadlines and ladder
    Json,
    /// One address or prefix per line
    List,
    /// For `ipset restore`, with timeouts
    Ipset,
}

/// Reads and prints.
pub fn run(site: &Site, args: &Args) -> Result<(), CliError> {
    if args.ended && args.format != Form::Json {
        let message = "--ended: lists and sets cannot say that a ban ended; leave it out, or take --format json";
        return Err(Failure::new(ExitCode::Usage, message).into());
    }
    let now = clock::now();
    let entries = entries(site, args.ended)?;
    let text = match args.format {
        Form::Json => bulk::write_json(&entries).map_err(|error| Failure::new(ExitCode::Failed, error.to_string()))?,
        Form::List => bulk::write_list(&entries),
        Form::Ipset => bulk::write_ipset(&entries, now.wall),
    };
    Ok(site.output.text(&text)?)
}

/// Sources, then prefixes, each in their order.
fn entries(site: &Site, ended: bool) -> Result<Vec<Entry>, Failure> {
    let tables = Tables::open(&site.paths.pins).map_err(|error| no_agent(&site.paths, &error))?;
    let ipv6 = controller_of(&tables, site.services.clone())?.ipv6();
    let mut bans: Vec<_> = tables.bans()?.into_iter().map(|(source, ban)| (ipv6.net(source), ban)).collect();
    bans.sort_unstable_by_key(|(net, _)| *net);
    let mut prefixes = tables.prefix_bans()?;
    prefixes.sort_unstable_by_key(|(net, _)| *net);
    bans.extend(prefixes);
    let now = clock::now();
    bans.retain(|(_, ban)| ended || ban.until_ns > now.kernel_ns);
    Ok(bans.iter().map(|(net, ban)| Entry::of(*net, ban, now)).collect())
}
