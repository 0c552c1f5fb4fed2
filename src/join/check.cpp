// SPDX-License-Identifier: LGPL-2.1-or-later
#include "join/check.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/proc_stat.hpp"

namespace berth::join_check {

namespace {

/// The words of the line that begins with `key`; none when there is no such line.
std::vector<std::string> words_of(std::string_view status, std::string_view key) {
    std::string text;
    for (const std::string &line : split(status, '\n'))
        if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':')
            text = line.substr(key.size() + 1);
    std::ranges::replace(text, '\t', ' ');
    std::vector<std::string> words = split(text, ' ');
    std::erase(words, "");
    return words;
}

std::vector<std::uint64_t> numbers_of(std::string_view status, std::string_view key) {
    std::vector<std::uint64_t> numbers;
    for (const std::string &word : words_of(status, key))
        if (const auto number = parse_unsigned(word))
            numbers.push_back(*number);
    return numbers;
}

/// Real, effective, saved and for files: all four.
bool is_all(std::string_view status, std::string_view key, std::uint64_t id) {
    return numbers_of(status, key) == std::vector<std::uint64_t>(4, id);
}

/// True when the set is told and holds nothing but what `allowed` does.
bool is_within(std::string_view status, std::string_view key, capabilities::Set allowed) {
    const std::vector<std::string> words = words_of(status, key);
    capabilities::Set set = 0;
    if (words.size() != 1)
        return false;
    const char *const end = words[0].data() + words[0].size();
    const auto [read, error] = std::from_chars(words[0].data(), end, set, 16);
    return error == std::errc() && read == end && (set & ~allowed) == 0;
}

bool has_groups(std::string_view status, const std::vector<gid_t> &groups) {
    std::vector<std::uint64_t> wanted(groups.begin(), groups.end());
    std::vector<std::uint64_t> found = numbers_of(status, "Groups");
    for (auto *list : {&wanted, &found}) {
        std::ranges::sort(*list);
        const auto [first, last] = std::ranges::unique(*list);
        list->erase(first, last);
    }
    return wanted == found;
}

/// Kernels before 5.9 do not tell how many there are.
bool has_filters(std::string_view status, std::size_t count) {
    const auto mode = numbers_of(status, "Seccomp");
    const auto told = numbers_of(status, "Seccomp_filters");
    return count == 0 || (!mode.empty() && mode[0] == 2 && (told.empty() || told[0] >= count));
}

} // namespace

std::string difference(std::string_view status, const Identity &identity) {
    if (!is_all(status, "Uid", identity.uid))
        return berth::format("is not user {} in all respects", identity.uid);
    if (!is_all(status, "Gid", identity.gid))
        return berth::format("is not of group {} in all respects", identity.gid);
    if (!has_groups(status, identity.groups))
        return "has other groups than its user";
    if (!is_within(status, "CapBnd", identity.bounding))
        return "has more in its bounding set than the machine";
    for (const std::string_view set : {"CapPrm", "CapEff", "CapInh", "CapAmb"})
        if (!is_within(status, set, identity.permitted))
            return berth::format("has capabilities that it should not have ({})", set);
    if (identity.no_new_privileges && numbers_of(status, "NoNewPrivs") != std::vector<std::uint64_t>{1})
        return "may gain privileges, which in this machine nobody may";
    if (!has_filters(status, identity.filters))
        return "lacks system call filters of the machine";
    return {};
}

void require(pid_t pid, const Identity &identity) {
    const std::string wrong = difference(read_file(berth::format("/proc/{}/status", pid)), identity);
    if (!wrong.empty())
        fail("the process that was to run in the machine {}: the machine's system call filters kept it from "
             "that",
             wrong);
}

void require_session(pid_t pid, int terminal) {
    struct stat st{};
    if (terminal >= 0 && ::fstat(terminal, &st) < 0)
        fail_errno("looking at the terminal");
    const proc_stat::Fields fields(read_file(berth::format("/proc/{}/stat", pid)));
    const bool leads = fields.text(proc_stat::session) == std::to_string(pid);
    const std::uint64_t wanted = terminal < 0 ? 0 : proc_stat::encoded(st.st_rdev);
    if (!leads || fields.text(proc_stat::terminal) != std::to_string(wanted))
        fail("the process that was to run in the machine is in no session of its own: the machine's system "
             "call filters kept it from that");
}

} // namespace berth::join_check
