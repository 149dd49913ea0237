#!/bin/sh
# Runs `sip-fw run` as systemd would, under a journald of its own, bans 203.0.113.9 and 203.0.113.10, and prints as JSON what the
# journal has of sip-fw, and behind an empty line what it has of the first of the two.
# usage: unshare --mount --propagation private --pid --fork --mount-proc --kill-child=KILL sh journald.sh SIP-FW CONFIG
set -eu
sip_fw=$1
config=$2

wait_until() {
    tries=0
    until "$@" > /dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { echo "in vain: $*" >&2; exit 1; }
        sleep 0.05
    done
}

mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
if [ ! -s /etc/machine-id ]; then
    systemd-id128 new > /run/machine-id
    mount --bind /run/machine-id /etc/machine-id
fi
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\n' \
    > /run/systemd/journald.conf.d/test.conf
/lib/systemd/systemd-journald 2> /run/journald.log &
wait_until test -S /run/systemd/journal/stdout
# As systemd does: stderr is a stream to journald, and JOURNAL_STREAM names its device and inode.
systemd-cat sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"' sh "$sip_fw" --config "$config" run &
agent=$!
wait_until "$sip_fw" --config "$config" events
"$sip_fw" --config "$config" ban 203.0.113.9 --for 1h --reason because > /dev/null
"$sip_fw" --config "$config" ban 203.0.113.10 --for 1h --reason last > /dev/null
has_ban() { journalctl --no-pager -t sip-fw SIP_FW_EVENT=ban | grep -q last; }
wait_until has_ban
journalctl --no-pager --output json -t sip-fw
echo
journalctl --no-pager --output json SIP_FW_SOURCE=203.0.113.9
kill "$agent"
wait "$agent"
