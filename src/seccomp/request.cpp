// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/request.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <filesystem>

#include "base/error.hpp"
#include "build.hpp"
#include "seccomp/words.hpp"

namespace berth::seccomp {

namespace {

/// The libseccomp that compiles on this host: the file's name has the version, its size and time tell
/// builds of one version apart.
std::string library() {
    std::error_code error;
    const std::filesystem::path file = std::filesystem::canonical(build::libseccomp, error);
    struct stat st{};
    if (error || ::stat(file.c_str(), &st) < 0)
        return "unknown";
    return berth::format("{} {} {}.{:09}", file.filename().native(), st.st_size, st.st_mtim.tv_sec,
                         st.st_mtim.tv_nsec);
}

} // namespace

std::string recipe(const Request &request) {
    utsname system{};
    if (::uname(&system) < 0)
        fail_errno("asking for the machine's architecture");
    std::string text = berth::format(
        "berth {}\nlibseccomp {}\nmachine {}\ncapabilities {:x}\nsuppress-sync {}\n", build::version,
        library(), static_cast<const char *>(system.machine), request.capabilities, request.suppress_sync);
    for (const std::string &rule : request.rules) {
        text += "rule";
        for (const std::string_view word : words(rule))
            text += berth::format(" {}", word);
        text += '\n';
    }
    return text;
}

} // namespace berth::seccomp
