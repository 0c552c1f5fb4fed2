// SPDX-License-Identifier: LGPL-2.1-or-later
// What `berth inspect` can be asked about. A new topic is a function here and a row in inspect_topics.cpp.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/unique_fd.hpp"

namespace berth::cli {

/// The machine being looked at. What is read through `pid` is only good while `leader` has not
/// exited, which is checked once after the last topic has been read.
struct Subject {
    std::string name;
    bool is_host = false; ///< ".host"
    unique_fd leader;     ///< pidfd
    pid_t pid = 0;
    std::string unit;
    std::string file; ///< --file=: a path inside, or empty
};

/// The text of a file in the leader's folder in /proc.
[[nodiscard]] std::string read_proc(const Subject &subject, std::string_view file);

/// Something that was read: for people, lines without indentation; and for programs.
struct Report {
    std::string text;
    Json json;
};

struct Topic {
    std::string_view name; ///< on the command line, and the key in JSON
    Report (*look)(const Subject &);
};

/// All topics, in the order in which they are shown.
[[nodiscard]] std::span<const Topic> topics();

[[nodiscard]] Report inspect_namespaces(const Subject &subject);
[[nodiscard]] Report inspect_capabilities(const Subject &subject);
[[nodiscard]] Report inspect_mounts(const Subject &subject);
[[nodiscard]] Report inspect_cgroup(const Subject &subject);
[[nodiscard]] Report inspect_filters(const Subject &subject);

} // namespace berth::cli
