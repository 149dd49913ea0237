//! What a running agent can change, and what it cannot.

use crate::config::Config;

/// The keys that differ and only take effect with a restart; None when there are none.
pub fn restart_needed(old: &Config, new: &Config) -> Option<String> {
    let keys = [
        ("interfaces", old.interfaces != new.interfaces),
        ("ipv6_prefix", old.ipv6 != new.ipv6),
        ("paths", old.paths != new.paths),
        ("limits", limits(old) != limits(new)),
    ];
    let keys: Vec<_> = keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

const fn limits(config: &Config) -> [u32; 7] {
    let sizes = config.limits;
    [sizes.bans, sizes.ban_prefixes, sizes.sources, sizes.strikes, sizes.transactions, sizes.nonces, sizes.peers]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    #[test]
    fn only_what_is_loaded_once() {
        let config = |text: &str| parse(Path::new("x"), &format!("interfaces = [\"eth0\"]\n{text}")).unwrap();
        let old = config("");
        assert_eq!(
            restart_needed(&old, &config("mode = \"observe\"\non_exit = \"detach\"\n[ban]\nthreshold = 9")),
            None
        );
        let lists = r#"
country_db = "/srv/countries.mmdb"
dns_servers = ["192.0.2.53"]
[limits]
prefixes = 4096
[metrics]
listen = "127.0.0.1:9469"
[control]
group_may_change = true
[[service]]
name = "sip"
kind = "sip"
listen = ["udp/5060"]
default = "deny"
[[access]]
name = "blocklist"
from = "feed:block"
action = "deny"
[[feed]]
name = "block"
url = "https://lists.example/block.txt"
"#;
        assert_eq!(restart_needed(&old, &config(lists)), None);
        let new = config("ipv6_prefix = 48\n[limits]\nnonces = 1024");
        assert_eq!(restart_needed(&old, &new).as_deref(), Some("ipv6_prefix, limits"));
    }
}
