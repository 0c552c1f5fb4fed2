# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Building the project in the host tree, installing it into a running host.

# How to build: plain, sanitize or coverage; each has a build folder of its own.
variant=plain

setup_options() {
    echo -Dhooks=true # for the tests that kill launchers on their way
    case $variant in
        plain) printf '%s\n' -Ddebug=false -Doptimization=2 ;;
        # With less optimization these compile in half the time; and lines that
        # the compiler has merged cannot be counted. What a process did before an
        # exec is only counted with GNU extensions, which make that a builtin.
        sanitize) printf '%s\n' -Db_sanitize=address,undefined -Ddebug=true -Doptimization=1 ;;
        coverage) printf '%s\n' -Db_coverage=true -Ddebug=true -Doptimization=0 -Dcpp_std=gnu++23 ;;
    esac
}

# One build folder for each source folder, tree and variant: clones do not share.
build_folder() {
    echo "$builds/$(basename "$source_dir")-$(key_of <<<"$source_dir")-$(tree_key host)-$variant"
}

# in_chamber CMD…: run CMD in the host tree with the paths that a booted host
# has, but without booting one. What it writes elsewhere than /build is lost.
in_chamber() {
    local build
    build=$(build_folder)
    mkdir -p "$build" "$cache/chamber"
    dies_with_us bash "$here/lib/inside.sh" "$cache/chamber" "$(tree_path host)" \
        "$source_dir" "$build" "$builds/ccache" '' "$@"
}

# compile [TARGET…]: all and tests, unless told otherwise.
compile() {
    need_root
    need_trees
    (($#)) || set -- all tests
    locked "build-$(basename "$(build_folder)")" compile_locked "$@"
}

compile_locked() {
    local options targets=$*
    mapfile -t options < <(setup_options)
    in_chamber /bin/bash -euc '
        export CCACHE_DIR=/ccache CCACHE_SLOPPINESS=pch_defines,time_macros
        targets=$1
        shift
        if [[ ! -e /build/build.ninja ]]; then
            meson setup /build /src "$@"
        elif [[ $(cat /build/options 2>/dev/null) != "$*" ]]; then
            meson configure /build "$@"
        fi
        echo "$*" >/build/options
        ninja -C /build $targets' compile "$targets" "${options[@]}" ||
        die "building $source_dir in $(build_folder) failed (the messages are above)"
}

# As a sysadmin would: install the files, then have their readers look again.
install_project() {
    local name=$1
    [[ -e $(build_folder)/build.ninja ]] || die "nothing is built yet: run testhost compile first"
    exec_in_host "$name" -- /bin/sh -ec '
        meson install -C /build --no-rebuild --quiet
        systemctl daemon-reload
        systemctl reload dbus-broker.service
        SYSTEMD_LOG_LEVEL=err systemd-tmpfiles --create' ||
        die "installing into the host '$name' failed (the messages are above)"
}
