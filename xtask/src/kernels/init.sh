#!/bin/busybox sh
# The first process of a machine of `cargo xtask kernels`: does one part after the other, says on the console how each ended, and
# powers off. /plan says where things are.

/bin/busybox --install -s /bin 2>/dev/null
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs run /run
mkdir -p /run/netns
/bin/ip link set lo up
. /plan

part() {
    echo
    echo "== begin $1"
    "$@"
    code=$?
    echo
    echo "== end $code"
    return $code
}

kernel() {
    uname -r
    for module in $MODULES; do
        insmod "/modules/$module.ko" || return 1
    done
}

# An agent on an interface: how it is attached and what the doctor says; or why it refuses.
run() {
    /bin/ip link add guarded0 type veth peer name other0
    /bin/ip addr add 192.0.2.1/24 dev guarded0
    /bin/ip link set guarded0 up
    /bin/ip link set other0 up
    sip-fw --config /sip-fw.toml run &
    agent=$!
    until sip-fw --config /sip-fw.toml status --json 2>/dev/null | grep '"running":true'; do
        if ! kill -0 $agent 2>/dev/null; then
            wait $agent
            code=$?
            sip-fw --config /sip-fw.toml doctor
            return $code
        fi
        sleep 1
    done
    sip-fw --config /sip-fw.toml doctor
    kill $agent
    wait $agent
    sip-fw --config /sip-fw.toml detach
}

# Through a pipe: on a console a progress bar would be drawn.
replay() {
    for capture in $CAPTURES; do
        sip-fw replay "$DATA/captures/$capture" $REPLAY 2>&1 | cat
    done
}

tests() {
    kernel-tests --nocapture $TESTS 2>&1
}

demo() {
    SIP_FW_BIN=/bin/sip-fw sip-fw-demo --json
}

# Where no agent runs, nothing else can.
if part kernel && part run; then
    part replay
    part tests
    part demo
fi
poweroff -f
