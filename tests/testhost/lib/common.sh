# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What every part uses: messages, the cache's layout, locks.

# Exit status of testhost's own failures, so that they are not taken for the
# status of a command that `exec` ran (env, nohup and timeout use it likewise).
readonly OWN_FAILURE=125

say() { printf 'testhost: %s\n' "$*" >&2; }
die() { say "$*"; exit "$OWN_FAILURE"; }

source_dir=$(realpath "$here/../..")
cache=${BERTH_CACHE:-/var/cache/berth-testhost}
trees=$cache/trees    # finished trees and images, never written to again
hosts=$cache/hosts    # one folder for each host that is up
builds=$cache/builds  # meson build folders and ccache
locks=$cache/locks

prepare_cache() {
    mkdir -p "$trees" "$hosts" "$builds/ccache" "$locks" ||
        die "cannot create the cache folders in $cache: set BERTH_CACHE to a folder that can be written"
}

# hold NAME: take the lock NAME until this shell ends. Its children inherit the
# lock, so that it is free only when all of them are gone; whatever outlives us
# on purpose has to close descriptor 9.
hold() {
    exec 9>"$locks/$1"
    flock --nonblock 9 && return
    say "waiting for another testhost that holds $locks/$1"
    flock 9
}

# locked NAME CMD…: run CMD while holding the lock NAME.
locked() (
    hold "$1"
    shift
    "$@"
)

# dies_with_us CMD…: run CMD with everything it starts in a pid and mount
# namespace that ends when this shell does, even by kill -9.
dies_with_us() {
    setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child --mount-proc --propagation private -- "$@"
}

need_root() {
    [[ $EUID -eq 0 ]] || die "namespaces and mounts need root: run this as root"
}
