// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/time_zone.hpp"

#include <filesystem>
#include <string_view>

namespace berth {

std::string host_time_zone() {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink("/etc/localtime", error).native();
    constexpr std::string_view folder = "/zoneinfo/";
    const auto at = target.find(folder);
    return error || at == std::string::npos ? "" : target.substr(at + folder.size());
}

} // namespace berth
