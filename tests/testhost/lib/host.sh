# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The namespaced host: systemd as PID 1 of a handful of namespaces.
#
# State of the host NAME, in $hosts/NAME:
#   leader       pid and start time of its PID 1, as the machine sees them
#   cgroup       the path of its cgroup
#   ready        there when the boot has come to its end
#   console.log, the upper and work folders of its root, machines/, berth/

readonly boot_timeout=60 stop_timeout=30
readonly exiting=4 # PF_EXITING, of the kernel's flags of a process

state_of() { echo "$hosts/$1"; }

check_name() {
    [[ $1 =~ ^[a-z0-9][a-z0-9-]{0,40}$ ]] ||
        die "'$1' is no host name: use lower-case letters, digits and dashes"
}

# alive FILE: set $leader to the pid that FILE records, if that very process
# still runs and does not only wait for the rest of its pid namespace to die.
# (No subshell, no program: it is called in a loop.)
alive() {
    local start stat
    leader=''
    { read -r leader start <"$1" && read -r stat <"/proc/$leader/stat"; } 2>/dev/null || return 1
    read -r -a stat <<<"${stat##*) }" # what follows the name begins with field 3
    [[ ${stat[0]} != Z && ${stat[19]} == "$start" ]] && ((!(stat[6] & exiting)))
}

# Set $leader to the pid of the running host's PID 1.
need_leader() {
    alive "$(state_of "$1")/leader" || die "the host '$1' is not running: start it with: testhost boot --name $1"
}

in_namespaces_of() {
    local leader=$1
    shift
    nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LANG=C.UTF-8 "$@"
}

# A fresh cgroup below our own, or below the root where ours may not have any.
make_cgroup() {
    local name=$1 mount own parent
    mount=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' \
        /proc/self/mountinfo)
    [[ -n $mount ]] ||
        die "no cgroup2 file system is mounted: mount one with: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    for parent in "$mount${own%/}" "$mount"; do
        mkdir -p "$parent/testhost-$name" 2>/dev/null && echo "$parent/testhost-$name" && return
    done
    die "cannot create a cgroup for the host '$name' in $mount: is it writable?"
}

boot_host() {
    local name=$1
    check_name "$name"
    need_root
    need_trees
    locked "host-$name" boot_host_locked "$name"
}

boot_host_locked() {
    local name=$1 state cgroup started leader
    state=$(state_of "$name")
    if [[ -e $state/ready ]] && alive "$state/leader"; then
        say "the host '$name' is running"
        return
    fi
    sweep_host "$name"
    started=${EPOCHREALTIME/./}
    mkdir -p "$state"
    cgroup=$(make_cgroup "$name")
    echo "$cgroup" >"$state/cgroup"
    local filling supervisor
    fill_machines "$state" &
    filling=$!
    start_supervisor "$state" "$cgroup"
    await_boot "$name" "$state"
    wait "$filling" || die "copying the machine images to $state/machines failed (is the disk full?)"
    touch "$state/ready"
    say "the host '$name' is up ($((( ${EPOCHREALTIME/./} - started ) / 1000)) ms)"
}

# Images of the host's own: what runs in it may do with them as it likes.
fill_machines() {
    mkdir -p "$1/machines"
    cp --archive --reflink=auto "$(tree_path debian)" "$1/machines/debian"
    cp --archive --reflink=auto "$(tree_path busybox)" "$1/machines/busybox"
}

# script(1) gives the host a console, a pty, and writes what is said there to a
# file; it stays when we are gone, as $supervisor. The cgroup is entered by its
# child, so that script itself is outside.
start_supervisor() {
    local state=$1 cgroup=$2 build enter command
    build=$(build_folder)
    mkdir -p "$build"
    enter='echo 0 >"$0/cgroup.procs" && exec unshare --mount --net --uts --ipc --cgroup --propagation private -- "$@"'
    printf -v command '%q ' exec unshare --pid --fork --kill-child -- bash -c "$enter" "$cgroup" \
        bash "$here/lib/inside.sh" "$state" "$(tree_path host)" "$source_dir" "$build" \
        "$builds/ccache" "$cgroup" /lib/systemd/systemd
    SHELL=/bin/bash TERM=dumb setsid script --quiet --flush --command "$command" "$state/console.log" \
        </dev/null >/dev/null 2>"$state/script.log" 9>&- &
    supervisor=$!
}

await_boot() {
    local name=$1 state=$2 leader verdict deadline=$((SECONDS + boot_timeout))
    until alive "$state/leader" && [[ -S /proc/$leader/root/run/systemd/private ]]; do
        ((SECONDS < deadline)) || boot_failed "$name" "its systemd did not answer within $boot_timeout s"
        kill -0 "$supervisor" 2>/dev/null || boot_failed "$name" "its PID 1 ended"
        sleep 0.02
    done
    verdict=$(in_namespaces_of "$leader" timeout $((deadline - SECONDS + 1)) systemctl is-system-running --wait) || true
    case $verdict in
        running) ;;
        degraded)
            say "the host '$name' is degraded; units that failed:"
            in_namespaces_of "$leader" systemctl --failed --no-legend --plain >&2
            ;;
        *) boot_failed "$name" "systemd's state is '${verdict:-unknown}' after $boot_timeout s" ;;
    esac
}

boot_failed() {
    local name=$1 reason=$2
    say "booting the host '$name' failed: $reason. The end of its console:"
    tail -n 30 "$(state_of "$name")/console.log" "$(state_of "$name")/script.log" >&2 || true
    wait "$filling" || true # it would go on writing to what is swept
    sweep_host "$name"
    exit "$OWN_FAILURE"
}

# exec_in_host NAME [--env K=V]… [--cwd DIR] [--] CMD…
exec_in_host() {
    local name=$1 leader unit status
    local options=(--collect --wait --quiet --service-type=exec --expand-environment=no)
    shift
    while (($#)); do
        case $1 in
            --env) options+=(--setenv="$2"); shift 2 ;;
            --cwd) options+=(--working-directory="$2"); shift 2 ;;
            --) shift; break ;;
            *) break ;;
        esac
    done
    (($#)) || die "exec: which command? See testhost --help"
    need_root
    need_leader "$name"
    if [[ -t 0 && -t 1 ]]; then options+=(--pty); else options+=(--pipe); fi
    unit=testhost-exec-$$-$RANDOM.service

    # bash turns death by a signal into 128+n, which systemd-run would not tell.
    in_namespaces_of "$leader" systemd-run "${options[@]}" --unit="$unit" \
        --setenv=HOME=/root --setenv=LANG=C.UTF-8 --setenv=TERM="${TERM:-dumb}" \
        -- /bin/bash -c 'trap : INT TERM HUP; "$@"; exit $?' exec "$@" <&0 &
    local job=$! signal interrupted
    for signal in INT TERM HUP; do
        # shellcheck disable=SC2064
        trap "interrupted=1; pass_signal $signal $leader $unit $job" "$signal"
    done
    while
        interrupted='' status=0
        wait "$job" || status=$?
        [[ -n $interrupted ]]
    do :; done
    trap - INT TERM HUP
    ((status == 0)) || alive "$(state_of "$name")/leader" || die "the host '$name' went down meanwhile"
    return "$status"
}

# A signal for exec is one for its command: systemd-run alone would go away and
# leave that running. The unit may not be there yet, hence the loop.
pass_signal() {
    local signal=$1 leader=$2 unit=$3 job=$4
    until in_namespaces_of "$leader" systemctl kill --signal="$signal" "$unit" 2>/dev/null; do
        kill -0 "$job" 2>/dev/null || break
        sleep 0.05
    done
}

stop_host() {
    check_name "$1"
    need_root
    prepare_cache
    locked "host-$1" stop_host_locked "$1"
}

stop_host_locked() {
    local name=$1 state leader
    state=$(state_of "$name")
    [[ -d $state ]] || { say "the host '$name' is not there"; return; }
    if alive "$state/leader"; then
        kill -s RTMIN+4 "$leader" # systemd's "power off"
        timeout "$stop_timeout" tail --pid="$leader" --sleep-interval=0.05 -f /dev/null ||
            say "the host '$name' did not power off within $stop_timeout s: killing it"
    fi
    sweep_host "$name"
}

# Remove whatever there is of a host, in whatever state it is. Its mounts and
# links went with its namespaces, that is, with its last process.
sweep_host() {
    local state cgroup tries=200
    state=$(state_of "$1")
    [[ -d $state ]] || return 0
    if cgroup=$(cat "$state/cgroup" 2>/dev/null) && [[ -d $cgroup ]]; then
        echo 1 >"$cgroup/cgroup.kill"
        until find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do
            ((tries--)) || die "the cgroup $cgroup of the host '$1' is still in use: see its cgroup.procs"
            sleep 0.05
        done
    fi
    rm -rf --one-file-system "$state"
}

# clean: nothing of testhost is left on the machine, but for packages.
remove_everything() {
    local state
    need_root
    for state in "$hosts"/*/; do
        [[ ! -d $state ]] || stop_host "$(basename "$state")"
    done
    rm -rf --one-file-system "$trees" "$builds" "$hosts" "$locks" "$cache/chamber"
    [[ ! -d $cache ]] || rmdir --ignore-fail-on-non-empty "$cache"
}

list_hosts() {
    local state name leader word
    printf '%-20s %-10s %s\n' NAME STATE LEADER
    for state in "$hosts"/*/; do
        [[ -d $state ]] || continue
        name=$(basename "$state")
        if alive "$state/leader"; then
            if [[ -e $state/ready ]]; then word=running; else word=starting; fi
        else
            word=dead leader=-
        fi
        printf '%-20s %-10s %s\n' "$name" "$word" "$leader"
    done
}

status_of_host() {
    local name=$1 state leader
    state=$(state_of "$name")
    alive "$state/leader" || { echo "$name: not running"; return 3; }
    echo "$name: $(in_namespaces_of "$leader" systemctl is-system-running || true)"
    echo "  leader   $leader"
    echo "  cgroup   $(cat "$state/cgroup")"
    echo "  tree     $(tree_path host)"
    echo "  state    $state ($(du -sh "$state" 2>/dev/null | cut -f 1))"
    echo "  console  $state/console.log"
}
