# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Running the test suites and adding up what they say.
#
# GoogleTest suites are /build/tests/SUITE/berth-SUITE-tests and tell their
# results in JSON; the suite "testhost" is the script selftest and tells them in
# TAP. Each result becomes one line "VERDICT<tab>NAME<tab>REASON" of the tally.

readonly all_suites=(testhost unit integration vm)

# How long a suite may take, in seconds: it only bounds hangs. Builds that count
# or check what they do are several times slower.
suite_timeout() {
    if [[ -n ${BERTH_SUITE_TIMEOUT:-} ]]; then
        echo "$BERTH_SUITE_TIMEOUT"
    elif [[ $variant == plain ]]; then
        echo 1800
    else
        echo 5400
    fi
}

run_tests() {
    local suites=() filter='*'
    while (($#)); do
        case $1 in
            --filter) filter=${2:?--filter needs a pattern}; shift 2 ;;
            --filter=*) filter=${1#*=}; shift ;;
            testhost | unit | integration | vm) suites+=("$1"); shift ;;
            *) die "test: no such suite: $1 (there are ${all_suites[*]})" ;;
        esac
    done
    ((${#suites[@]})) || suites=("${all_suites[@]}")

    need_root
    prepare_cache
    provision jq procps
    hold "test-$(basename "$(build_folder)")" # for the results
    results=$(build_folder)/results
    tally=$results/tally
    rm -rf "$results"
    mkdir -p "$results"
    : >"$tally"

    begin_host test
    took=()
    timed trees need_trees
    timed build compile
    if ((guarded_status)); then
        record failed build "nothing was tested (see above)"
        suites=()
    fi
    [[ $variant != coverage ]] || reset_counters
    local suite
    for suite in "${suites[@]}"; do
        say "running the suite $suite"
        timed "$suite" "suite_$suite" "$filter"
        ((guarded_status == 0)) || record failed "$suite" "it did not come to its end (see above)"
    done
    end_host
    [[ $variant != coverage ]] || coverage_report
    tell_times test
    sum_up
}

# timed NAME CMD…: as guarded; what it took is told at the end.
timed() {
    local name=$1 begin=$SECONDS
    shift
    guarded "$@"
    took+=("$name $((SECONDS - begin)) s")
}

# What all took since this program began, and its parts.
tell_times() {
    local parts
    parts=$(printf ', %s' "${took[@]}")
    say "$1 took $SECONDS s (${parts:2})"
}

# begin_host WORD: from here on $test_host is a host of our own, not booted yet,
# and whatever happens it is gone at the end.
begin_host() {
    sweep_stale_hosts
    test_host=$1-$$ guarded_job=''
    trap end_host EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# Hosts of runs that were killed: the number in their name is no process any more.
sweep_stale_hosts() {
    local state name pid
    for state in "$hosts"/{test,bench,demo,selftest}-*/; do
        name=$(basename "$state")
        pid=$(cut -d - -f 2 <<<"$name")
        [[ ! -d $state || -d /proc/$pid ]] || stop_host "$name"
    done
}

# guarded CMD…: run it in a process group of its own. bash handles signals while
# it waits for that, which it would not do before a plain command has ended.
# The status is left in $guarded_status: in `guarded … ||` no error would end CMD.
guarded() {
    guarded_status=0
    set -m
    "$@" </dev/null &
    guarded_job=$!
    set +m
    wait "$guarded_job" || guarded_status=$?
    guarded_job=''
}

end_host() {
    trap '' INT TERM HUP
    [[ -z $guarded_job ]] || kill -s TERM -- "-$guarded_job" 2>/dev/null || true
    [[ ! -d $(state_of "$test_host") ]] || stop_host "$test_host"
    trap - EXIT INT TERM HUP
}

need_test_host() {
    [[ -d $(state_of "$test_host") ]] || boot_host "$test_host"
}

suite_unit() {
    need_test_host
    gtest_suite unit "$1" exec_in_host "$test_host" --
    [[ $1 != '*' ]] || meson_tests
}

# Checks that are no GoogleTest binaries but tests of the build's, such as that
# the man pages are complete.
meson_tests() {
    local names log
    log=$(build_folder)/meson-logs/testlog.json
    mapfile -t names < <(exec_in_host "$test_host" -- meson introspect /build --tests |
        jq --raw-output '.[] | select(.protocol == "exitcode") | .name')
    ((${#names[@]})) || return 0
    rm -f "$log"
    exec_in_host "$test_host" -- meson test -C /build --no-rebuild --print-errorlogs "${names[@]}" || true
    [[ -e $log ]] || { record failed unit "meson test gave no results for ${names[*]}"; return; }
    jq --raw-output '
        [ if .result == "OK" then "passed" elif .result == "SKIP" then "skipped" else "failed" end,
          "unit: \(.name)", "\(.result), its output is above" ] | join("\t")' "$log" >>"$tally"
}

suite_integration() {
    need_test_host
    install_project "$test_host"
    local environment=()
    # Where what runs inside machines writes its counters, too.
    [[ $variant != coverage ]] || environment=(--env BERTH_TEST_COVERAGE=/build)
    gtest_suite integration "$1" exec_in_host "$test_host" "${environment[@]}" --
    # What the tests themselves cannot say: the host's view of it all.
    exec_in_host "$test_host" -- journalctl --no-pager >"$results/integration.journal" || true
}

suite_vm() {
    gtest_suite vm "$1" exec_in_vm --
}

suite_testhost() {
    local log=$results/testhost.log status=0
    "$here/selftest" 2>&1 | tee "$log" || status=$?
    sed -nE 's/^ok [0-9]+ - (.*)/passed\ttesthost: \1\t/p
             s/^not ok [0-9]+ - (.*)/failed\ttesthost: \1\t/p' "$log" >>"$tally"
    verify_suite testhost "$status"
}

# gtest_suite SUITE FILTER RUNNER…: run the suite's binary by means of RUNNER.
gtest_suite() {
    local suite=$1 filter=$2 binary=/build/tests/$1/berth-$1-tests status=0
    shift 2
    if [[ ! -x $(build_folder)${binary#/build} ]]; then
        record failed "$suite" "there is no $binary: the build did not make it"
        return
    fi
    # A binary that hangs is aborted from the inside, so that its host lives on.
    "$@" timeout --signal=ABRT --kill-after=10 "$(suite_timeout)" "$binary" \
        --gtest_color=no --gtest_filter="$filter" --gtest_output="json:/build/results/$suite.json" \
        </dev/null 2>&1 | tee "$results/$suite.log" || status=$?
    if [[ -s $results/$suite.json ]]; then
        jq --raw-output --arg suite "$suite" '
            .testsuites[].testsuite[]
            | [ if .failures then "failed" elif .result == "COMPLETED" then "passed" else "skipped" end,
                "\($suite): \(.classname).\(.name)",
                ( [(.failures // .skipped // [])[] | .failure // .message] | join("; ")
                  | if . == "" then "disabled" else . end | gsub("\\s+"; " ") ) ]
            | join("\t")' "$results/$suite.json" >>"$tally"
    else
        record failed "$suite" "no results: it ended with status $status$(last_test "$results/$suite.log")"
    fi
    verify_suite "$suite" "$status"
}

record() { printf '%s\t%s\t%s\n' "$@" >>"$tally"; }

last_test() { sed -n 's/^\[ RUN      \] /, the last test begun was /p' "$1" | tail -n 1; }

# A suite has to have run something, and its exit status to agree with its results.
verify_suite() {
    local suite=$1 status=$2 verdicts
    verdicts=$(sed -n "s/^\([a-z]*\)\t$suite\(:.*\)\?\t.*/\1/p" "$tally")
    if [[ ! $verdicts =~ passed|failed ]]; then
        record failed "$suite" "no test ran"
    elif [[ $status != 0 && ! $verdicts =~ failed ]]; then
        record failed "$suite" "no test failed, but it ended with status $status"
    fi
}

sum_up() {
    local passed failed skipped
    passed=$(grep -c '^passed' "$tally") || true
    failed=$(grep -c '^failed' "$tally") || true
    skipped=$(grep -c '^skipped' "$tally") || true
    echo
    sed -n 's/^skipped\t\(.*\)\t\(.*\)/SKIPPED \1: \2/p' "$tally"
    sed -n 's/^failed\t\(.*\)\t\(.*\)/FAILED  \1: \2/p' "$tally"
    echo "$passed passed, $failed failed$( ((skipped == 0)) || echo ", $skipped skipped")"
    ((failed == 0 && passed > 0))
}

# What these suites cover is to be counted, not what earlier ones did; and files
# that are built no more leave notes behind that gcovr stumbles over.
reset_counters() {
    local build note
    build=$(build_folder)
    find "$build" -name '*.gcda' -delete
    find "$build" -name '*.gcno' | while read -r note; do
        [[ -e ${note%.gcno}.o ]] || rm "$note"
    done
}

coverage_report() {
    in_chamber gcovr --root /src --object-directory /build --filter /src/src/ --print-summary \
        --html-details /build/results/coverage.html --txt
}

run_bench() {
    compile all
    begin_host bench
    guarded bench_in_host "$@"
    end_host
    return "$guarded_status"
}

bench_in_host() {
    need_test_host
    install_project "$test_host"
    exec_in_host "$test_host" -- /src/tests/bench/run "$@"
}
