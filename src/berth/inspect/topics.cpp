// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>

#include "base/format.hpp"
#include "base/io.hpp"
#include "berth/inspect/topic.hpp"

namespace berth::cli {

namespace {

constexpr std::array table{
    Topic{"namespaces", inspect_namespaces}, Topic{"capabilities", inspect_capabilities},
    Topic{"mounts", inspect_mounts},         Topic{"cgroup", inspect_cgroup},
    Topic{"seccomp", inspect_filters},
};

} // namespace

std::span<const Topic> topics() {
    return table;
}

std::string read_proc(const Subject &subject, std::string_view file) {
    return read_file(berth::format("/proc/{}/{}", subject.pid, file));
}

} // namespace berth::cli
