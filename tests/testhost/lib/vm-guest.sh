#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs in the virtual machine, as its testhost.service: it has just unpacked the
# payload, which brought this script, the installed project, /src, /build and
# the command to run. Whatever happens, the machine is powered off at the end.
ports=/dev/virtio-ports
status=125

finish() {
    tar --create --directory /build/results . >"$ports/testhost.results"
    echo "$status" >"$ports/testhost.status"
    systemctl poweroff --force --force
}
trap finish EXIT

udevadm settle # for the ports
mkdir -p /build/results
export HOME=/root LANG=C.UTF-8
{
    systemctl daemon-reload
    systemctl reload dbus-broker.service
    SYSTEMD_LOG_LEVEL=err systemd-tmpfiles --create
    state=$(systemctl is-system-running --wait)
    [[ $state == running ]] || {
        echo "testhost: the virtual machine is $state; units that failed:"
        systemctl --failed --no-legend --plain
    }
    cd /
    systemd-run --quiet --pipe --wait --collect --expand-environment=no \
        --setenv=HOME=/root --setenv=LANG=C.UTF-8 \
        -- /bin/bash -c '"$@"; exit $?' exec "$@"
    status=$?
} </dev/null >"$ports/testhost.output" 2>&1
