# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# What is in the trees. A change here makes new trees: the lists are their key.

readonly debian_suite=trixie

host_packages=(
    # the running system
    systemd systemd-sysv systemd-container dbus-broker dbus-bin libpam-systemd polkitd
    login passwd util-linux procps iproute2 nftables kmod attr acl libcap2-bin e2fsprogs
    squashfs-tools fdisk dosfstools iputils-ping

    # building the project
    g++ meson ninja-build ccache pkgconf systemd-dev libdbus-1-dev
    libsdbus-c++-dev libsdbus-c++-bin libsystemd-dev libmount-dev libcap-dev
    libseccomp-dev libnl-route-3-dev libnftables-dev libblkid-dev
    libtomlplusplus-dev nlohmann-json3-dev libcli11-dev libarchive-dev
    libgtest-dev libgmock-dev libbenchmark-dev clang-tidy clang-format gcovr scdoc man-db groff-base

    # testing, measuring, looking inside; crun is a peer to compare with
    gdb strace linux-perf hyperfine tmux jq python3 busybox-static bash-completion
    socat less crun
)

# A machine image: an ordinary small Debian, nothing made for berth.
debian_packages=(systemd systemd-sysv dbus libpam-systemd login passwd util-linux procps)

# On top of the host tree, for the virtual machine.
vm_packages=(linux-image-cloud-amd64 initramfs-tools udev)
