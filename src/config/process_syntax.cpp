// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/process_syntax.hpp"

#include <sys/personality.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "config/values.hpp"

namespace berth::process_syntax {

namespace {

struct Limit {
    std::string_view name;
    int resource;
};
// getrlimit(2), by the names that systemd.exec(5) gives them
constexpr std::array limits{
    Limit{"CPU", RLIMIT_CPU},           Limit{"FSIZE", RLIMIT_FSIZE}, Limit{"DATA", RLIMIT_DATA},
    Limit{"STACK", RLIMIT_STACK},       Limit{"CORE", RLIMIT_CORE},   Limit{"RSS", RLIMIT_RSS},
    Limit{"NOFILE", RLIMIT_NOFILE},     Limit{"AS", RLIMIT_AS},       Limit{"NPROC", RLIMIT_NPROC},
    Limit{"MEMLOCK", RLIMIT_MEMLOCK},   Limit{"LOCKS", RLIMIT_LOCKS}, Limit{"SIGPENDING", RLIMIT_SIGPENDING},
    Limit{"MSGQUEUE", RLIMIT_MSGQUEUE}, Limit{"NICE", RLIMIT_NICE},   Limit{"RTPRIO", RLIMIT_RTPRIO},
    Limit{"RTTIME", RLIMIT_RTTIME},
};

bool is_name(std::string_view text) {
    return !text.empty()
           && text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
                  == std::string_view::npos
           && (text[0] < '0' || text[0] > '9');
}

rlim_t limit_value(int resource, std::string_view text) {
    if (text == "infinity")
        return RLIM_INFINITY;
    std::optional<std::uint64_t> value;
    switch (resource) {
    case RLIMIT_CPU:
        if (const auto span = parse_timespan(text))
            value = static_cast<std::uint64_t>((span->count() + 999'999) / 1'000'000);
        break;
    case RLIMIT_RTTIME: // a bare number counts microseconds here
        if (value = parse_unsigned(text); !value)
            if (const auto span = parse_timespan(text))
                value = static_cast<std::uint64_t>(span->count());
        break;
    case RLIMIT_NICE:
        if (text.starts_with('+') || text.starts_with('-')) { // a nice level: 20 - level is the limit
            int level = 0;
            const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
            const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), level);
            if (code == std::errc() && end == digits.data() + digits.size() && level >= -20 && level <= 19)
                value = static_cast<std::uint64_t>(20 - level);
        } else if (const auto number = parse_unsigned(text); number && *number <= 40) {
            value = number;
        }
        break;
    case RLIMIT_NOFILE:
    case RLIMIT_NPROC:
    case RLIMIT_LOCKS:
    case RLIMIT_SIGPENDING:
    case RLIMIT_RTPRIO: value = parse_unsigned(text); break;
    default: value = parse_size(text); break;
    }
    if (!value)
        fail("\"{}\" is not a value of this limit, nor infinity", text);
    return *value;
}

} // namespace

std::pair<std::string, std::string> environment(std::string_view value) {
    const auto at = value.find('=');
    const std::string name(value.substr(0, at));
    if (!is_name(name))
        fail("\"{}\" is not of the form NAME=VALUE", value);
    if (at != std::string_view::npos)
        return {name, std::string(value.substr(at + 1))};
    const char *ours = ::getenv(name.c_str()); // NOLINT(concurrency-mt-unsafe): one thread
    if (ours == nullptr)
        fail("\"{}\" is not set in our own environment either; give NAME=VALUE", value);
    return {name, ours};
}

std::pair<std::uint32_t, std::uint32_t> id_range(std::string_view value) {
    const auto at = value.find(':');
    const auto base = parse_unsigned(value.substr(0, at));
    const auto count = at == std::string_view::npos ? std::optional<std::uint64_t>(65536)
                                                    : parse_unsigned(value.substr(at + 1));
    if (!base || !count)
        fail("\"{}\" is not yes, no, pick, identity, managed or UID[:COUNT]", value);
    constexpr std::uint64_t limit = std::numeric_limits<std::uint32_t>::max(); // the last ID means "none"
    if (*count == 0 || *base >= limit || *count > limit - *base)
        fail("\"{}\": the range must hold at least one user and end below {}", value, limit);
    return {static_cast<std::uint32_t>(*base), static_cast<std::uint32_t>(*count)};
}

int oom_score_adjust(std::string_view value) {
    int number = 0;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (code != std::errc() || end != value.data() + value.size() || number < -1000 || number > 1000)
        fail("\"{}\" is not a number from -1000 to 1000", value);
    return number;
}

void cpus(std::string_view value, std::vector<unsigned> &cpus) {
    constexpr std::uint64_t most = 8192; // more than any kernel has (CONFIG_NR_CPUS)
    for (const std::string &piece : values::pieces(value)) {
        const auto at = piece.find('-');
        const auto first = parse_unsigned(std::string_view(piece).substr(0, at));
        const auto last =
            at == std::string::npos ? first : parse_unsigned(std::string_view(piece).substr(at + 1));
        if (!first || !last || *first > *last || *last >= most)
            fail("\"{}\" is not a CPU or a range of CPUs such as 0-3", piece);
        for (std::uint64_t cpu = *first; cpu <= *last; ++cpu)
            cpus.push_back(static_cast<unsigned>(cpu));
    }
    std::ranges::sort(cpus);
    const auto [from, to] = std::ranges::unique(cpus);
    cpus.erase(from, to);
}

unsigned long personality(std::string_view value) {
#if defined(__x86_64__)
    if (value == "x86-64")
        return PER_LINUX;
    if (value == "x86")
        return PER_LINUX32;
    fail("\"{}\" is not x86 or x86-64", value);
#else
    fail("\"{}\": personalities are known for x86-64 hosts only", value);
#endif
}

ResourceLimit limit(int resource, std::string_view value) {
    const auto at = value.find(':');
    const rlim_t soft = limit_value(resource, value.substr(0, at));
    const rlim_t hard = at == std::string_view::npos ? soft : limit_value(resource, value.substr(at + 1));
    if (soft > hard)
        fail("\"{}\": the soft limit is above the hard one", value);
    return {.resource = resource, .soft = soft, .hard = hard};
}

std::vector<std::string> limit_names() {
    std::vector<std::string> names;
    for (const Limit &limit : limits)
        names.emplace_back(limit.name);
    return names;
}

ResourceLimit named_limit(std::string_view value) {
    const auto at = value.find('=');
    std::string_view name = value.substr(0, at);
    if (name.starts_with("RLIMIT_"))
        name.remove_prefix(7);
    const auto *const found = std::ranges::find(limits, name, &Limit::name);
    if (at == std::string_view::npos || found == limits.end())
        fail("\"{}\" is not of the form NAME=LIMIT with one of the names of getrlimit(2)", value);
    return limit(found->resource, value.substr(at + 1));
}

Credential credential(std::string_view value, bool is_path, const Origin &origin) {
    const auto at = value.find(':');
    const std::string id(value.substr(0, at));
    if (at == std::string_view::npos || id.empty() || id.size() > 255 || id == "." || id == ".."
        || id.contains('/'))
        fail("\"{}\" is not of the form ID:{}, with an ID that can be the name of a file", value,
             is_path ? "PATH" : "VALUE");
    const std::string content(value.substr(at + 1));
    if (is_path && content.empty())
        fail("\"{}\" names no file", value);
    return {.id = id, .value = is_path ? content : c_unescape(content), .is_path = is_path, .origin = origin};
}

} // namespace berth::process_syntax
