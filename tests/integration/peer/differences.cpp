// SPDX-License-Identifier: LGPL-2.1-or-later
#include "peer/differences.hpp"

#include <gtest/gtest.h>

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "base/parse.hpp"

namespace berth::test {

namespace {

// clang-format off
constexpr std::array table{
    Difference{"", "env container",
        "the name of the manager"},
    Difference{"", "host content-of-container-manager",
        "the name of the manager"},
    Difference{"plain console network users pick mounts volatile state boot", "env TERM",
        "set without a terminal, too: \"vt220\", so that programs that ask for it do not fail"},
    Difference{"plain console network users pick process mounts volatile state", "cgroup /",
        "only an init gets a group beside the launcher's, whose controllers it may use; a command needs none"},
    Difference{"plain console network users pick process mounts volatile state", "cgroup /supervisor",
        "as above: the launcher stays where it was started unless an init is booted"},
    Difference{"", "dev /dev/char*",
        "no links by number: what looks devices up that way takes /sys/dev"},
    Difference{"", "host /run/host/inaccessible",
        "0755 in place of 0555: it is on a mount that is read-only anyway"},
    Difference{"", "host /run/host/os-release",
        "a copy in the tmpfs of /run/host, not a mount of the host's file: nothing of the host's storage is shown"},
    Difference{"", "mount /run/host/os-release",
        "as above: a copy needs no mount"},
    Difference{"plain console network users pick process mounts volatile state", "host /run/host/unix-export",
        "only what an init offers is shown on the host"},
    Difference{"plain console network users pick process mounts volatile state", "mount /run/host/unix-export",
        "as above"},
    Difference{"", "mount /run/host/incoming",
        "mounts come into a running machine by its namespaces, not through this folder, which is there for programs that look for it"},
    Difference{"", "mount /run/host",
        "4 MiB and 1024 files in place of a tmpfs without a limit of its own: it holds a few small files"},
    Difference{"", "mount /dev/pts",
        "terminals are made with mode 620, group tty, as on any host: write(1) and wall(1) work"},
    Difference{"", "mount /dev/shm",
        "no limit on the number of files beside that on their size"},
    Difference{"", "mount /tmp",
        "a million files in place of 400k"},
    Difference{"", "mount /proc/k[ae]*",
        "the covers come from /run/host: its limits"},
    Difference{"", "mount /proc/timer_list",
        "as above"},
    Difference{"", "mount /proc/kmsg",
        "mounted read-only and noexec, too"},
    Difference{"", "mount /proc/sys/kernel/random/boot_id#2",
        "mounted once, read-only from the beginning"},
    Difference{"", "status CapInh",
        "no inheritable capabilities: files have none, so they would give nothing, and a process that changes its user should not keep them"},
    Difference{"plain console network users pick process state", "status Groups",
        "root is in its own group of the tree's group file"},
    Difference{"plain console network users pick process volatile boot", "mount /etc/localtime",
        "a tree without zone files keeps its time zone: only a read-only root gets the host's mounted"},
    Difference{"console", "dev /dev/console",
        "a mount of the terminal, of which it is a link there: it stays the console when the first terminal is closed and made anew"},
    Difference{"console", "mount /dev/console",
        "as above"},
    Difference{"network pick", "mount /sys",
        "the read-only sysfs itself in place of a tmpfs with parts of it"},
    Difference{"network pick", "mount /sys/*",
        "as above"},
    Difference{"network pick", "mount /proc/sys/net#2",
        "mounted once: writable from the beginning"},
    Difference{"users pick", "host /run/host/container-*",
        "files of /run/host belong to the machine's root, not to nobody"},
    Difference{"users pick", "host /run/host/incoming",
        "as above"},
    Difference{"mounts", "mount /etc/passwd",
        "what hides a file is on the same mount as all of /run/host, with its limits"},
    Difference{"volatile", "mount /",
        "half of the memory at most, the kernel's default, in place of a quarter; access times are kept as relatime"},
    Difference{"state", "mount /var",
        "as above; device nodes in it are no devices"},
};
constexpr std::array link_table{
    Difference{"veth users long bridge zone extra", "host * address",
        "as constant as there, but by a hash of berth's own; a zone's bridge has an address that does not depend on who came first"},
    Difference{"veth users long bridge zone extra macvlan", "inside * address",
        "as above"},
    Difference{"veth users long extra", "host * state",
        "set up at once, so that a host without systemd-networkd reaches the machine, too"},
    Difference{"zone", "host vz-* state",
        "as above"},
    Difference{"long", "host ve-* name",
        "shortened by six digits of a hash in place of four, of letters and numbers alone"},
    Difference{"bridge zone", "registered",
        "the host's end of the machine's own link, not the bridge that machines share"},
    Difference{"extra", "registered",
        "all links that lead to the machine, not only that of --network-veth"},
    Difference{"space", "sys *",
        "/sys is that of the network that is entered, not that of the host"},
};
constexpr std::array option_table{
    OptionDifference{"Mounts", "OptionalSourceIsLeftOut", "--bind=-/PATH:…",
        "a `-` in front makes the mount optional; there it is part of the path"},
    OptionDifference{"Mounts", "OptionalSourceInside", "--bind=-+/PATH:…",
        "as above"},
    OptionDifference{"Mounts", "InaccessibleCannotBeUncovered", "-U --inaccessible=FILE",
        "root inside finds an empty file; there it may not open it. Nobody sees what it hides"},
    OptionDifference{"Mounts", "OverlayColon", "--overlay-ro=A\\:B:…",
        "a colon in a layer's path works; there the mount fails"},
    OptionDifference{"Mounts", "OverlayUpperInside", "--overlay=+/A:+/B:…",
        "the layer that is written to must be on the host: no work folder is made in the tree"},
    OptionDifference{"Mounts", "LaterCoversEarlier", "--tmpfs=PLACE --bind=…:PLACE",
        "the later option is on top; there it is the tmpfs"},
    OptionDifference{"Mounts", "TmpfsWordsOfTheMount", "--tmpfs=PLACE:noatime",
        "times of access are not kept then; there they are all the same"},
    OptionDifference{"Mounts", "BelowProc", "--bind=FILE:/proc/…",
        "works with any file; there with none that the machine itself does not see"},
    OptionDifference{"ProcessOptions", "CapabilitiesOfRoot", "(none)",
        "root has no inheritable capabilities; see `status CapInh` below"},
    OptionDifference{"ProcessOptions", "CapabilitiesInAUserNamespace", "-U --private-network",
        "as above"},
    OptionDifference{"ProcessOptions", "CapabilityAdded", "--capability=",
        "as above"},
    OptionDifference{"ProcessOptions", "CapabilityDropped", "--drop-capability=",
        "as above"},
    OptionDifference{"ProcessOptions", "DropWins", "--capability= --drop-capability=",
        "as above"},
    OptionDifference{"ProcessOptions", "AmbientForRoot", "--ambient-capability=",
        "as above, but for the ambient ones"},
    OptionDifference{"ProcessOptions", "CapabilitiesOfAUser", "--user=UID",
        "a number is a user whether or not the tree knows it"},
    OptionDifference{"ProcessOptions", "AllDroppedForAUser", "--user=UID --drop-capability=all",
        "as above"},
    OptionDifference{"ProcessOptions", "AmbientForAUser", "--user=UID --ambient-capability=",
        "as above"},
    OptionDifference{"ProcessOptions", "AmbientForAUserInAUserNamespace", "-U --user=UID --ambient-capability=",
        "as above"},
    OptionDifference{"ProcessOptions", "UserByNumber", "--user=UID",
        "as above"},
    OptionDifference{"ProcessOptions", "NoNewPrivileges", "--no-new-privileges",
        "may stand without a value, which then is yes; a value follows an equals sign"},
    OptionDifference{"ProcessOptions", "EnvironmentNotSet", "--setenv=NAME",
        "refused when our own environment has no NAME; there it is set to nothing"},
    OptionDifference{"Root", "VolatileState", "--volatile=state",
        "nothing is made in /var for a journal that the host does not have"},
    OptionDifference{"Root", "PivotRoot", "--pivot-root=NEW",
        "nothing but the mount points that are needed is made in the new root"},
    OptionDifference{"Root", "PivotRootKeepingTheOld", "--pivot-root=NEW:OLD",
        "the place of the old root is made when it is missing"},
    OptionDifference{"Root", "PivotRootOnDisk", "-U --pivot-root=NEW:OLD",
        "as above"},
    OptionDifference{"SystemCalls", "DeniedForAUser", "--system-call-filter=~CALL:ERRNO",
        "actions are understood; there `CALL:ERRNO` is an unknown call, which is passed over"},
    OptionDifference{"SystemCalls", "Errno", "--system-call-filter=~CALL:ERRNO",
        "as above"},
    OptionDifference{"SystemCalls", "Kill", "--system-call-filter=~CALL:kill",
        "as above"},
    OptionDifference{"SystemCalls", "DeniedAndAllowed", "--system-call-filter=~@GROUP --system-call-filter=CALL",
        "what one list denies no other allows, in any order; there a call by name counts more than a group"},
    OptionDifference{"SystemCalls", "UnknownGroup", "--system-call-filter=~@GROUP",
        "an unknown group is an error; there it is warned of"},
    OptionDifference{"Users", "Fixed", "--private-users=UID",
        "files are mapped wherever the filesystem can; there they keep their owners"},
    OptionDifference{"Users", "FixedCount", "--private-users=UID:COUNT",
        "as above"},
    OptionDifference{"Users", "OverlayRoot", "-x --private-users=UID",
        "as above"},
    OptionDifference{"Users", "ChownOfLayers", "-x --private-users-ownership=chown",
        "layers are never written to; there a copy is made, of which the owners are changed"},
};
// clang-format on

/// Keys whose values differ, and how.
std::map<std::string, std::string> compared(const Facts &ours, const Facts &theirs) {
    std::map<std::string, std::string> differences;
    const auto value_in = [](const Facts &facts, const std::string &key) {
        const auto found = facts.find(key);
        return found == facts.end() ? std::string("(none)") : "\"" + found->second + "\"";
    };
    for (const Facts *facts : {&ours, &theirs})
        for (const auto &[key, value] : *facts)
            if (const auto mine = value_in(ours, key), others = value_in(theirs, key); mine != others)
                differences[key] = "berth " + mine + ", systemd-nspawn " + others;
    return differences;
}

bool is_about(const Difference &difference, const std::string &variant) {
    return difference.variants.empty()
           || std::ranges::contains(berth::split(difference.variants, ' '), variant);
}

bool matches(const Difference &difference, const std::string &key) {
    return ::fnmatch(std::string(difference.key).c_str(), key.c_str(), 0) == 0;
}

} // namespace

std::span<const Difference> peer_differences() {
    return table;
}

std::span<const Difference> link_differences() {
    return link_table;
}

void expect_differences(const Facts &ours, const Facts &theirs, std::span<const Difference> known,
                        const std::string &variant) {
    const auto found = compared(ours, theirs);
    for (const auto &[key, values] : found)
        EXPECT_TRUE(std::ranges::any_of(
            known, [&](const Difference &one) { return is_about(one, variant) && matches(one, key); }))
            << "a difference that is not in the table: " << key << ": " << values;
    for (const Difference &one : known)
        if (is_about(one, variant)) {
            EXPECT_TRUE(
                std::ranges::any_of(found, [&](const auto &entry) { return matches(one, entry.first); }))
                << "in the table, but no difference any more: " << one.key;
        }
}

std::span<const OptionDifference> option_differences() {
    return option_table;
}

std::string_view option_difference(std::string_view suite, std::string_view row) {
    const auto found = std::ranges::find_if(
        option_table, [&](const OptionDifference &one) { return one.suite == suite && one.row == row; });
    return found == option_table.end() ? std::string_view{} : found->reason;
}

} // namespace berth::test
