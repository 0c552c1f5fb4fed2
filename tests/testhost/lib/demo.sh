# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# From nothing to a running machine, each command shown before it runs.

demo() {
    need_root
    begin_host demo
    took=()
    timed trees need_trees
    ((guarded_status)) || timed build compile all
    ((guarded_status)) || timed machine demo_in_host
    end_host
    tell_times demo
    return "$guarded_status"
}

demo_in_host() {
    need_test_host
    install_project "$test_host"

    show mkdir -p /etc/berth
    show tee /etc/berth/demo.toml <<'TOML'
[root]
layers = ["/var/lib/machines/debian"]
upper = "persistent"
TOML
    show berth start demo
    show berth list
    show berth status demo
    show berth exec demo cat /etc/os-release
    show berth exec demo systemctl is-system-running --wait
    show berth exec demo touch /kept-in-the-upper
    show ls /var/lib/berth/uppers/demo/upper
    show berth poweroff demo
    exec_in_host "$test_host" -- sh -c 'while systemctl --quiet is-active berth@demo; do sleep 0.1; done'
    show berth list
}

# show CMD…: echo it as if typed, and run it in the host.
show() {
    printf '\n# %s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_.:=/@-]*\)'/\1/g"
    exec_in_host "$test_host" -- "$@"
}
