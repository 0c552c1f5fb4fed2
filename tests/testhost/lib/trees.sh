# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The OS trees: host (a Debian to run and build berth in), debian and busybox
# (machine images). Each is built once for its key and never changed afterwards.

readonly recipe=1 # raise it when a tree would come out different from the same packages

key_of() { sha256sum | cut -c 1-12; }

tree_key() {
    case $1 in
        host) key_of <<<"$recipe $debian_suite ${host_packages[*]}" ;;
        debian) key_of <<<"$recipe $debian_suite ${debian_packages[*]}" ;;
        busybox) key_of <<<"$recipe $(tree_key host)" ;;
        vm) key_of <<<"$recipe $(tree_key host) $(tree_key debian) $(tree_key busybox) ${vm_packages[*]}" ;;
        *) die "no such tree: $1 (there are host, debian, busybox and vm)" ;;
    esac
}

tree_path() { echo "$trees/$1-$(tree_key "$1")"; }

# need_tree TREE: build it unless it is there.
need_tree() {
    local path
    path=$(tree_path "$1")
    [[ -d $path ]] || locked "tree-$1" build_tree "$1" "$path"
    touch "$path" # its age since last use: see sweep_old
}

need_trees() {
    local tree jobs=()
    prepare_cache
    for tree in host debian busybox; do
        if [[ ! -d $(tree_path "$tree") ]]; then
            provision_for_trees
            break
        fi
    done
    for tree in host debian; do
        need_tree "$tree" &
        jobs+=($!)
    done
    wait "${jobs[0]}" || die "the tree host could not be built (the reason is above)"
    wait "${jobs[1]}" || die "the tree debian could not be built (the reason is above)"
    need_tree busybox
}

# build_tree TREE PATH, with the lock held: whatever other half-built tree of
# this name lies around is the leftover of a killed run.
build_tree() {
    local tree=$1 path=$2 new=$trees/.new-$1 started=$SECONDS
    [[ ! -d $path ]] || return 0 # built while we waited for the lock
    say "building the tree $tree"
    rm -rf --one-file-system "$new"
    "build_$tree" "$new"
    mv --no-target-directory "$new" "$path"
    sweep_old "$tree"
    say "built $path in $((SECONDS - started)) s"
}

# Trees of another package list stay for a week, since other clones may use them.
sweep_old() {
    find "$trees" -maxdepth 1 -name "$1-*" -mtime +7 -exec rm -rf --one-file-system {} +
}

# debootstrap_into TARGET PACKAGE… -- MMDEBSTRAP-OPTION…
debootstrap_into() {
    local target=$1 include='' options=() option
    shift
    while [[ $1 != -- ]]; do
        include+=,$1
        shift
    done
    shift
    while read -r option; do options+=(--aptopt="$option"); done < <(apt_proxy_options)
    # Nobody needs these trees after a power cut, hence no waiting for the disk.
    dies_with_us mmdebstrap --quiet --mode=root --variant=minbase \
        --include="${include#,}" --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        "${options[@]}" "$@" "$debian_suite" "$target" "$(mirror)" >&2 </dev/null
}

# As images are shipped: the first boot gives the machine an identity.
strip_identity() {
    : >"$1/etc/machine-id"
    rm -f "$1/var/lib/dbus/machine-id" "$1/etc/hostname" "$1/etc/resolv.conf"
}

build_host() {
    debootstrap_into "$1" "${host_packages[@]}" --
    strip_identity "$1"
    touch "$1/etc/.updated" "$1/var/.updated" # nothing to do for ConditionNeedsUpdate= at boot
    mkdir -p "$1/src" "$1/build" "$1/ccache" "$1/var/lib/berth"
}

build_debian() {
    debootstrap_into "$1" "${debian_packages[@]}" -- \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' \
        --customize-hook='chroot "$1" passwd --quiet --delete root'
    strip_identity "$1"
}

build_busybox() {
    local root=$1
    mkdir -p "$root"/{usr/{bin,sbin,lib},etc,proc,sys,dev,run,var,root}
    mkdir -m 1777 "$root/tmp" "$root/var/tmp"
    ln -s usr/bin usr/sbin usr/lib "$root"
    cp "$(tree_path host)/usr/bin/busybox" "$root/usr/bin/busybox"
    chroot "$root" /usr/bin/busybox --install -s
    cat >"$root/usr/lib/os-release" <<'FILE'
ID=busybox
NAME=BusyBox
PRETTY_NAME="BusyBox test image"
FILE
    ln -s ../usr/lib/os-release "$root/etc/os-release"
    echo 'root::0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    # No getty: whoever wants a shell in it asks for one. Reboot and power-off
    # are init's own (signals, and the applets of that name).
    cat >"$root/etc/inittab" <<'FILE'
::sysinit:/bin/hostname -F /etc/hostname
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/true
FILE
    echo busybox >"$root/etc/hostname"
}
