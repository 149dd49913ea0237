#!/bin/sh
# Boots the systemd of a Debian folder as PID 1 of a container: the folder stays as it is (an overlay), and so do the host's
# cgroups, /run and pinned maps. Needs a mount namespace of its own, with which all of its mounts go.
# usage: unshare --mount --propagation private sh machine.sh NAME DEBIAN FOLDER NETWORK-NAMESPACE
set -eu
name=$1
debian=$2
folder=$3
network=$4

# On a host with version 1 of cgroups, version 2 lies beside it; systemd in a container wants it alone.
cgroups=/sys/fs/cgroup
[ -e "$cgroups/cgroup.procs" ] || cgroups=$cgroups/unified
mkdir -p "$cgroups/$name"
echo $$ > "$cgroups/$name/cgroup.procs"
mount -t cgroup2 cgroup2 /sys/fs/cgroup

mkdir -p "$folder/upper" "$folder/work" "$folder/root" "$folder/bpf"
mount -t overlay -o "lowerdir=$debian,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
# A fresh one for every boot, closed to all but root, as systemd mounts it on real machines.
mount -t bpf -o mode=0700 bpf "$folder/bpf"
touch "$folder/network"
mount --bind "$network" "$folder/network"
# nspawn writes to /run.
mount -t tmpfs tmpfs /run

export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1
exec systemd-nspawn --register=no --keep-unit --quiet --console=pipe --machine="$name" --directory="$folder/root" \
    --network-namespace-path="$folder/network" --capability=all --system-call-filter='bpf perf_event_open @keyring' \
    --bind="$folder/bpf:/sys/fs/bpf" --boot
