// SPDX-License-Identifier: LGPL-2.1-or-later
// Resource limits: --rlimit= and, in files, one setting for each (getrlimit(2)).
#include <algorithm>
#include <array>

#include "config/process_syntax.hpp"
#include "config/settings_tables.hpp"

namespace berth {

namespace {

void put(MachineConfig &config, const ResourceLimit &limit) {
    auto &all = config.exec.limits;
    const auto same = std::ranges::find(all, limit.resource, &ResourceLimit::resource);
    if (same != all.end())
        *same = limit;
    else
        all.push_back(limit);
}

template <int resource>
constexpr Setting limit(std::string_view key, std::string_view nspawn, std::string_view help) {
    return {"exec",
            key,
            nspawn,
            "",
            0,
            SettingType::text,
            "",
            "",
            Trust::privileged,
            help,
            [](MachineConfig &config, std::string_view value, const Origin &) {
                put(config, process_syntax::limit(resource, value));
            }};
}

constexpr std::array table{
    Setting{"", "", "", "rlimit", 0, SettingType::list, "NAME=LIMIT", "", Trust::privileged,
            "set a resource limit (NOFILE=1024:4096)",
            [](MachineConfig &config, std::string_view value, const Origin &) {
                put(config, process_syntax::named_limit(value));
            }},
    limit<RLIMIT_CPU>("limit_cpu", "LimitCPU", "CPU time"),
    limit<RLIMIT_FSIZE>("limit_fsize", "LimitFSIZE", "size of files"),
    limit<RLIMIT_DATA>("limit_data", "LimitDATA", "data segment"),
    limit<RLIMIT_STACK>("limit_stack", "LimitSTACK", "stack"),
    limit<RLIMIT_CORE>("limit_core", "LimitCORE", "core dumps"),
    limit<RLIMIT_RSS>("limit_rss", "LimitRSS", "resident set"),
    limit<RLIMIT_NOFILE>("limit_nofile", "LimitNOFILE", "open descriptors"),
    limit<RLIMIT_AS>("limit_as", "LimitAS", "address space"),
    limit<RLIMIT_NPROC>("limit_nproc", "LimitNPROC", "processes of the user"),
    limit<RLIMIT_MEMLOCK>("limit_memlock", "LimitMEMLOCK", "locked memory"),
    limit<RLIMIT_LOCKS>("limit_locks", "LimitLOCKS", "file locks"),
    limit<RLIMIT_SIGPENDING>("limit_sigpending", "LimitSIGPENDING", "queued signals"),
    limit<RLIMIT_MSGQUEUE>("limit_msgqueue", "LimitMSGQUEUE", "POSIX message queues"),
    limit<RLIMIT_NICE>("limit_nice", "LimitNICE", "nice level"),
    limit<RLIMIT_RTPRIO>("limit_rtprio", "LimitRTPRIO", "real-time priority"),
    limit<RLIMIT_RTTIME>("limit_rttime", "LimitRTTIME", "real-time CPU time without sleep"),
};

} // namespace

std::vector<std::string> tables::limits_words(std::string_view option) {
    return option == "rlimit" ? process_syntax::limit_names() : std::vector<std::string>();
}

std::span<const Setting> tables::limits() {
    return table;
}

} // namespace berth
