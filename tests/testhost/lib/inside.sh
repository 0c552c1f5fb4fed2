#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs as PID 1 of fresh namespaces, still on the machine's own root: builds the
# root of a host out of a tree and goes into it.
#
#   inside.sh STATE TREE SOURCE BUILD CCACHE CGROUP COMMAND…
#
# STATE is a folder on a disk file system; CGROUP the host's own cgroup. With an
# empty CGROUP this makes a chamber, in which commands run but no systemd: what
# it writes is on a tmpfs over STATE, which nobody else sees.
set -euo pipefail

make_devices() {
    local dev=$1 node i
    mount -t tmpfs -o mode=755,nosuid tmpfs "$dev"
    mkdir "$dev"/{net,pts,shm}
    while read -r node mode major minor; do
        mknod -m "$mode" "$dev/$node" c "$major" "$minor"
    done <<'NODES'
null 666 1 3
zero 666 1 5
full 666 1 7
random 666 1 8
urandom 666 1 9
tty 666 5 0
fuse 666 10 229
net/tun 666 10 200
loop-control 660 10 237
NODES
    for i in {0..15}; do mknod -m 660 "$dev/loop$i" b 7 "$i"; done
    ln -s /proc/self/fd "$dev/fd"
    ln -s fd/0 "$dev/stdin"
    ln -s fd/1 "$dev/stdout"
    ln -s fd/2 "$dev/stderr"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5,nosuid,noexec devpts "$dev/pts"
    ln -s pts/ptmx "$dev/ptmx"
    if [[ -t 0 ]]; then
        touch "$dev/console"
        mount --bind "$(tty)" "$dev/console"
    fi
}

# Not for a system that shares its kernel and its devices with the machine; and
# what would work in the background while tests run.
mask_units() {
    local unit
    mkdir -p "$1"
    for unit in systemd-{modules-load,sysctl,binfmt}.service modprobe@.service \
        systemd-journald-audit.socket console-getty.service \
        proc-sys-fs-binfmt_misc.automount sys-kernel-{debug,tracing,config}.mount dev-hugepages.mount \
        {apt-daily,apt-daily-upgrade,dpkg-db-backup,man-db,e2scrub_all}.timer e2scrub_reap.service; do
        ln -s /dev/null "$1/$unit"
    done
}

main() {
    local state=$1 tree=$2 source=$3 build=$4 ccache=$5 cgroup=$6
    shift 6
    local root=$state/root stat

    # /proc is the outer one yet, so this is our pid as the machine sees it.
    read -r -a stat </proc/self/stat

    mount --make-rprivate /
    [[ -n $cgroup ]] || mount -t tmpfs testhost "$state"
    mkdir -p "$state"/{root,upper,work}
    # volatile: no fsync reaches the disk, since the state dies with the host.
    mount -t overlay -o "lowerdir=$tree,upperdir=$state/upper,workdir=$state/work,volatile" testhost "$root"
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
    [[ -z $cgroup ]] || mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
    make_devices "$root/dev"
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
    mount --bind -o ro "$source" "$root/src"
    mount --bind "$build" "$root/build"
    mount --bind "$ccache" "$root/ccache"
    # An overlay cannot be the upper of another: these are the plain disk.
    local folder
    for folder in machines berth; do
        mkdir -p "$state/$folder"
        mount --bind "$state/$folder" "$root/var/lib/$folder"
    done
    mkdir -p -m 1777 "$state/tmp"
    mount --bind "$state/tmp" "$root/var/tmp"

    if [[ -n $cgroup ]]; then
        mask_units "$root/run/systemd/system"
        basename "$state" >/proc/sys/kernel/hostname
        chroot "$root" ip link set lo up
        echo "${stat[0]} ${stat[21]}" >"$state/leader.new" # pid, start time
        mv "$state/leader.new" "$state/leader"
    fi
    cd "$root"
    pivot_root . .
    umount --lazy .
    exec env -i container=testhost PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

main "$@"
