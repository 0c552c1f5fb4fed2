#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the virtual machine's disk, in a mount namespace of its own:
#
#   vm-image.sh TARGET HOST-TREE DEBIAN-TREE BUSYBOX-TREE PACKAGES APT-OPTION…
set -euo pipefail

target=$1 host=$2 debian=$3 busybox=$4 packages=$5
shift 5
root=$target/root

mkdir "$target"/{root,upper,work}
mount -t overlay -o "lowerdir=$host,upperdir=$target/upper,workdir=$target/work,volatile" vm "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"

in_root() { DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

# Only what the one virtual disk needs: a small initrd is unpacked soon.
mkdir -p "$root/etc/initramfs-tools/conf.d"
echo MODULES=list >"$root/etc/initramfs-tools/conf.d/testhost"
printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"

cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
in_root apt-get "$@" --quiet=2 update
# shellcheck disable=SC2086
in_root apt-get "$@" --quiet=2 --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
    -o Dpkg::Use-Pty=0 install --yes $packages
in_root apt-get clean
rm -rf "$root/etc/resolv.conf" "$root"/var/lib/apt/lists/*

cp --archive "$debian" "$root/var/lib/machines/debian"
cp --archive "$busybox" "$root/var/lib/machines/busybox"
echo testhost-vm >"$root/etc/hostname"
for unit in {apt-daily,apt-daily-upgrade,dpkg-db-backup,man-db,e2scrub_all}.timer e2scrub_reap.service; do
    ln -s /dev/null "$root/etc/systemd/system/$unit"
done

# All that a run does comes with its payload, so that the image need not change.
cat >"$root/etc/systemd/system/testhost.service" <<'UNIT'
[Unit]
Description=Run what the second disk brings
[Service]
ExecStart=/bin/sh -c 'tar -x -C / -f /dev/vdb && exec /testhost/run'
ExecStopPost=/bin/systemctl poweroff --force --force
StandardOutput=journal+console
UNIT
in_root systemctl --quiet add-wants multi-user.target testhost.service

umount "$root"/{proc,dev,run}
cp --dereference "$root/vmlinuz" "$target/vmlinuz"
cp --dereference "$root/initrd.img" "$target/initrd"
truncate --size 8G "$target/disk.ext4"
mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 -d "$root" "$target/disk.ext4"
umount "$root"
rm -rf "${target:?}"/{root,upper,work}
