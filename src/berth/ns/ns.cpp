// SPDX-License-Identifier: LGPL-2.1-or-later
// `berth ns`: namespaces as things of their own, apart from the processes in them.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "base/own_copy.hpp"
#include "berth/ns/enter.hpp"
#include "berth/ns/hold.hpp"
#include "berth/ns/list.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

using Words = std::vector<std::string>;

/// Kinds that are of little use without the processes that were there: of a mount namespace the tree
/// stays in use, and a pid namespace without its first process takes no other.
constexpr std::array<std::string_view, 2> not_held_by_default{"mnt", "pid"};

void require_count(const Words &words, std::size_t count, const char *usage) {
    if (words.size() != count)
        fail("usage: berth ns {}", usage);
}

int list(const Words &words, const Settings &settings) {
    require_count(words, 1, "list");
    ns::list(settings);
    return 0;
}

int hold(const Words &words, const Settings &settings) {
    require_count(words, 3, "hold NAME MACHINE|PID|PATH");
    ns::require_held_name(words[1]);
    ns::hold(words[1], ns::open_target(words[2], ns::parse_kinds(settings.kinds),
                                       ns::kinds_without(not_held_by_default)));
    return 0;
}

int release(const Words &words, const Settings &settings) {
    require_count(words, 2, "release NAME");
    ns::release(words[1], ns::parse_kinds(settings.kinds));
    return 0;
}

int enter(const Words &words, const Settings &settings) {
    if (words.size() < 2)
        fail("usage: berth ns enter NAME|MACHINE|PID|PATH [-- COMMAND…]");
    own_copy::require();
    const ns::Kinds wanted = ns::parse_kinds(settings.kinds);
    const ns::Target target = ns::is_held(words[1])
                                  ? ns::open_held(words[1], wanted)
                                  : ns::open_target(words[1], wanted, ns::kinds_without({}));
    Words command(words.begin() + 2, words.end());
    if (command.empty()) {
        const char *shell = std::getenv("SHELL"); // NOLINT(concurrency-mt-unsafe): there is one thread
        command.emplace_back(shell != nullptr && *shell != '\0' ? shell : "/bin/sh");
    }
    return ns::enter(target, command);
}

struct Part {
    std::string_view name;
    int (*run)(const Words &, const Settings &);
};
constexpr std::array parts{Part{"list", list}, Part{"hold", hold}, Part{"enter", enter},
                           Part{"release", release}};

} // namespace

int ns_verb(const Invocation &invocation) {
    for (const Part &part : parts) {
        if (part.name != invocation.arguments[0])
            continue;
        if (::geteuid() != 0)
            fail("berth ns {} needs root: the kernel shows and hands over namespaces of others to root alone",
                 part.name);
        return part.run(invocation.arguments, invocation.settings);
    }
    fail("berth ns {}: the choices are list, hold, enter and release", invocation.arguments[0]);
}

} // namespace berth::cli
