# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What the developing machine itself needs, and the mirror that it uses.

apt_get() {
    # 9: apt's children must not keep a lock of ours.
    DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >&2 </dev/null 9>&-
}

is_installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

has_package_lists() {
    [[ -n $(apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 2>/dev/null |
        while read -r file; do [[ ! -e $file ]] || echo "$file"; done) ]]
}

# provision PACKAGE…: install the packages that are missing.
provision() {
    command -v apt-get >/dev/null ||
        die "apt-get not found: testhost provisions Debian 12 and 13; elsewhere install by hand: $*"
    local package missing=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    has_package_lists || apt_get update || die "apt-get update failed (its messages are above)"
    # Lists that are there may be too old to fetch from: renew them and try again.
    apt_get install "${missing[@]}" || { apt_get update && apt_get install "${missing[@]}"; } ||
        die "apt-get could not install ${missing[*]} (its messages are above)"
}

provision_for_trees() {
    provision mmdebstrap debian-archive-keyring ca-certificates \
        util-linux bsdutils mount
}

provision_for_vm() {
    provision_for_trees
    provision e2fsprogs qemu-system-x86 qemu-utils
}

# The archive that this machine's apt is set up for, in whatever file format.
mirror() {
    has_package_lists || apt_get update || die "apt-get update failed (its messages are above)"
    local uri
    uri=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)' \
        'Created-By: Packages' | sed -n 's/^Debian|Debian|main|//p' | sort -u | head -n 1)
    [[ -n $uri ]] ||
        die "apt is set up for no Debian archive (origin Debian, component main): add one to /etc/apt/sources.list.d and run apt-get update"
    echo "$uri"
}

# Proxies that this machine's apt uses, as options for the apt of a new tree.
apt_proxy_options() {
    local scheme proxy
    for scheme in http https; do
        proxy=$(apt-config dump --format '%v' "Acquire::$scheme::Proxy")
        [[ -z $proxy ]] || echo "Acquire::$scheme::Proxy \"$proxy\";"
    done
}
