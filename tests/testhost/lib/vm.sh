# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The virtual machine: the host tree with a kernel of its own, where limits,
# accounting and power cuts are real. One boot for one command.
#
# The image of $trees/vm-* is never written to. What a run needs (the installed
# project, /src, /build, the command) goes in as a second disk that is nothing
# but a tar archive; output, results and status come out through virtio ports.

readonly vm_timeout=${BERTH_VM_TIMEOUT:-1800}

# Emulation is slow and works everywhere. A virtual machine may offer KVM and
# then fail at it in the middle of a boot: kvm is for who knows better.
readonly vm_accelerator=${BERTH_VM_ACCELERATOR:-tcg}

# A file that keeps what is written to the virtual machine's disk, for the next
# boot to find: how a machine survives a power cut takes two of them.
vm_disk=''

# The image is made of an overlay on the host tree, in namespaces that end with us.
build_vm() {
    local new=$1 options=() option
    mkdir -p "$new"
    while read -r option; do options+=(-o "$option"); done < <(apt_proxy_options)
    dies_with_us bash "$here/lib/vm-image.sh" "$new" "$(tree_path host)" "$(tree_path debian)" \
        "$(tree_path busybox)" "${vm_packages[*]}" "${options[@]}" >&2 </dev/null
}

need_vm() {
    need_trees
    provision_for_vm
    need_tree vm
}

# Print the tar archive that is the second disk: see vm-guest.sh.
vm_payload() {
    in_chamber /bin/bash -euc '
        mkdir -p /tmp/payload/testhost /tmp/payload/src /tmp/payload/build
        cd /tmp/payload
        if [[ -e /build/build.ninja ]]; then
            DESTDIR=$PWD meson install -C /build --no-rebuild --quiet >&2
            tar --create --directory /build --exclude="*.p" --exclude="*.a" --exclude="./meson-*" \
                --exclude="./.ninja*" --exclude=./results . | tar --extract --directory build
        fi
        tar --create --directory /src --exclude=./.git . | tar --extract --directory src
        cp /src/tests/testhost/lib/vm-guest.sh testhost/guest
        { echo "#!/bin/bash"; printf "exec /bin/bash /testhost/guest"; printf " %q" "$@"; } >testhost/run
        chmod +x testhost/run
        tar --create .' payload "$@"
}

# exec_in_vm [--] CMD…: its output (stdout and stderr) goes to our stdout, what
# it leaves in /build/results to that folder of ours.
exec_in_vm() {
    [[ ${1:-} != -- ]] || shift
    (($#)) || die "exec: which command? See testhost --help"
    need_root
    need_vm
    local image results file status drive
    image=$(tree_path vm)
    drive=file=$image/disk.ext4,format=raw,snapshot=on
    if [[ -n $vm_disk ]]; then
        [[ -e $vm_disk ]] ||
            qemu-img create -q -f qcow2 -F raw -b "$image/disk.ext4" "$vm_disk" ||
            die "cannot create the disk $vm_disk (the reason is above)"
        drive=file=$vm_disk,format=qcow2
    fi
    results=$(build_folder)/results
    mkdir -p "$results"

    # Files without a name: nothing stays behind even if we are killed.
    file=$(mktemp "$cache/payload.XXXXXX")
    exec 5<>"$file" 6<>"$file.status" 7<>"$file.results"
    rm "$file" "$file.status" "$file.results"
    vm_payload "$@" >&5 || die "packing the project for the virtual machine failed (the messages are above)"

    # One processor: with several, qemu's emulation may run an instruction that
    # the guest's kernel has just patched (a breakpoint of a static key) after
    # the kernel has forgotten it: "int3: 0000", and it panics.
    # The pipe to cat: qemu would truncate a file that it is given as output.
    dies_with_us timeout --foreground "$vm_timeout" qemu-system-x86_64 \
        -accel "$vm_accelerator" -cpu max -smp 1 -m 2048 -nodefaults -no-user-config \
        -display none -no-reboot -nic none \
        -kernel "$image/vmlinuz" -initrd "$image/initrd" \
        -append "root=/dev/vda rw console=ttyS0 quiet mitigations=off systemd.getty_auto=no" \
        -drive "$drive,if=virtio" \
        -drive file=/proc/self/fd/5,format=raw,if=virtio,readonly=on \
        -chardev "file,id=console,path=$results/vm-console.log" -serial chardev:console \
        -device virtio-serial \
        -chardev file,id=output,path=/proc/self/fd/8 \
        -device virtserialport,chardev=output,name=testhost.output \
        -chardev file,id=status,path=/proc/self/fd/6 \
        -device virtserialport,chardev=status,name=testhost.status \
        -chardev file,id=results,path=/proc/self/fd/7 \
        -device virtserialport,chardev=results,name=testhost.results \
        8>&1 </dev/null >&2 | cat ||
        say "qemu ended with status ${PIPESTATUS[0]} (124: killed after $vm_timeout s)"

    status=$(cat /proc/self/fd/6)
    if [[ -z $status ]]; then
        tail -n 30 "$results/vm-console.log" >&2
        die "the virtual machine went down before the command had ended (the end of its console is above)"
    fi
    tar --extract --directory "$results" --file /proc/self/fd/7
    exec 5>&- 6>&- 7>&-
    return "$status"
}
