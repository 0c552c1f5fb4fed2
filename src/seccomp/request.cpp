// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/request.hpp"

#include <sys/utsname.h>

#include <format>

#include "base/error.hpp"
#include "build.hpp"
#include "seccomp/words.hpp"

namespace berth::seccomp {

std::string recipe(const Request &request) {
    utsname system{};
    if (::uname(&system) < 0)
        fail_errno("asking for the machine's architecture");
    std::string text =
        std::format("berth {}\nmachine {}\ncapabilities {:x}\nsuppress-sync {}\n", build::version,
                    static_cast<const char *>(system.machine), request.capabilities, request.suppress_sync);
    for (const std::string &rule : request.rules) {
        text += "rule";
        for (const std::string_view word : words(rule))
            text += std::format(" {}", word);
        text += '\n';
    }
    return text;
}

} // namespace berth::seccomp
