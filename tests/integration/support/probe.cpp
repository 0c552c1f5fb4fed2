// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/probe.hpp"
#include "base/format.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::test {

namespace fs = std::filesystem;

namespace {

constexpr std::array status_fields{"Umask",  "Uid",    "Gid",    "Groups", "NoNewPrivs", "Seccomp",
                                   "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",     "SigBlk",
                                   "SigIgn", "NSpid",  "NSpgid", "NSsid",  "FDSize",     "Cpus_allowed_list"};

class Reader {
public:
    Facts read(std::string_view printed) {
        for (std::string line : split(printed, '\n')) {
            if (line.ends_with('\r')) // of a terminal
                line.pop_back();
            if (line.starts_with("== "))
                section_ = line.substr(3);
            else if (!line.empty())
                take(line);
        }
        return std::move(facts_);
    }

private:
    void put(const std::string &key, const std::string &value) { facts_[section_ + " " + key] = value; }

    void take(const std::string &line) {
        if (section_ == "base") {
            base_ = split(trim(line), ' ').size() > 1 ? numbers(line)[1] : 0;
            put("map", berth::format("{} B {}", numbers(line)[0], numbers(line)[2]));
        } else if (section_ == "mount") {
            take_mount(line);
        } else if (section_ == "status") {
            const auto colon = line.find(':');
            const std::string key = line.substr(0, colon);
            if (std::ranges::contains(status_fields, key))
                put(key, ids(std::string(trim(std::string_view(line).substr(colon + 1)))));
        } else if (section_ == "limit") {
            put(std::string(trim(line.substr(0, 26))), std::string(trim(line.substr(26, 42))));
        } else if (section_ == "env") {
            const auto equals = line.find('=');
            put(line.substr(0, equals), line.substr(equals + 1));
        } else {
            const auto blank = line.find(' ');
            put(line.substr(0, blank), blank == std::string::npos ? "" : ids(line.substr(blank + 1)));
        }
    }

    /// Field 5 is the place, 6 the mount's options, then optional fields up to "-", then the type,
    /// the source and the filesystem's options (proc_pid_mountinfo(5)).
    void take_mount(const std::string &line) {
        const std::vector<std::string> fields = split(line, ' ');
        const auto dash = std::ranges::find(fields, "-");
        if (fields.size() < 6 || fields.end() - dash < 4)
            return;
        std::vector<std::string> options = split(fields[5] + "," + dash[3], ',');
        std::erase_if(options, [](const std::string &option) { // of the host's own storage
            return option.starts_with("lowerdir=") || option.starts_with("upperdir=")
                   || option.starts_with("workdir=");
        });
        std::ranges::sort(options);
        const auto [first, last] = std::ranges::unique(options);
        options.erase(first, last);
        const bool shared = std::any_of(fields.begin() + 6, dash,
                                        [](const auto &field) { return field.starts_with("shared:"); });
        std::string text = dash[1];
        for (const std::string &option : options)
            text += " " + ids(option);
        std::string key = fields[4];
        for (int covers = 2; facts_.contains("mount " + key); ++covers)
            key = berth::format("{}#{}", fields[4], covers);
        put(key, text + (shared ? " shared" : ""));
    }

    static std::vector<unsigned long> numbers(const std::string &line) {
        std::vector<unsigned long> found(3);
        std::sscanf(line.c_str(), "%lu %lu %lu", &found[0], &found[1], &found[2]);
        return found;
    }

    /// Numbers of the machine's range as "B", "B+5".
    [[nodiscard]] std::string ids(const std::string &text) const {
        if (base_ == 0)
            return text;
        std::string result;
        for (std::size_t i = 0; i < text.size();) {
            const auto end = std::min(text.find_first_not_of("0123456789", i), text.size());
            const auto number = end - i > 4 ? parse_unsigned(text.substr(i, end - i)) : std::nullopt;
            if (number && *number >= base_ && *number - base_ < 65536)
                result += *number == base_ ? "B" : berth::format("B+{}", *number - base_);
            else
                result += text.substr(i, std::max<std::size_t>(end - i, 1));
            i = std::max(end, i + 1);
        }
        return result;
    }

    Facts facts_;
    std::string section_;
    unsigned long base_ = 0;
};

} // namespace

const std::string &probe_script() {
    static const std::string script = R"sh(
echo '== base'; cat /proc/self/uid_map
echo '== mount'; cat /proc/self/mountinfo
# Read by the shell itself: while it forks another program it has all signals blocked.
echo '== status'; while read -r line; do echo "$line"; done < /proc/1/status
echo '== limit'; tail -n +2 /proc/1/limits
echo '== env'; tr '\0' '\n' < /proc/1/environ
echo '== dev'; find /dev ! -type l ! -path '/dev/pts/[0-9]*' -exec stat -c '%n %A %a %u:%g %t:%T' {} +
for link in $(find /dev -type l); do echo "$link -> $(readlink $link)"; done
echo '== host'; find /run/host -exec stat -c '%n %A %a %u:%g' {} +
for file in container-manager container-uuid os-release; do echo "content-of-$file $(head -n1 /run/host/$file)"; done
echo '== sees'; echo "hostname $(hostname)"; echo "machine-id $(cat /etc/machine-id 2>&1)"
echo "machine $(uname -m)"; echo "cgroup $(cat /proc/self/cgroup)"; echo "umask $(umask)"; echo "cwd $(pwd)"
echo "oom $(cat /proc/1/oom_score_adj)"; echo "descriptors $(ls /proc/1/fd | tr '\n' ' ')"
echo "root $(stat -c '%a %u:%g' /)"; echo "timens $(cat /proc/1/timens_offsets | tr -s ' \n' ' ')"
echo "cgroup-owner $(stat -c '%u:%g' /sys/fs/cgroup)"; echo "links $(ls /sys/class/net | head -n1)"
for name in net ipc uts pid user time; do echo "ns-$name $(test $(readlink /proc/1/ns/$name) = $(readlink /proc/self/ns/$name) && echo own)"; done
echo '== end'
)sh";
    return script;
}

Facts facts_of(std::string_view printed) {
    return Reader().read(printed.substr(0, printed.find("== end")));
}

void add_cgroups(Facts &facts, const std::string &unit) {
    const fs::path top =
        "/sys/fs/cgroup" + succeed({"systemctl", "show", "--value", "--property=ControlGroup", unit});
    for (const auto &entry : fs::recursive_directory_iterator(top))
        if (entry.is_directory() && !trim(read_file(entry.path() / "cgroup.procs")).empty())
            facts["cgroup /" + entry.path().lexically_relative(top).native()] = "has processes";
    if (!trim(read_file(top / "cgroup.procs")).empty())
        facts["cgroup /"] = "has processes";
}

} // namespace berth::test
