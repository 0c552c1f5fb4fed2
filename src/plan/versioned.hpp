// SPDX-License-Identifier: LGPL-2.1-or-later
// Directories of versions of one thing (systemd.v(7)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace berth::versioned {

enum class What : std::uint8_t {
    directory,
    image, ///< a file whose name ends in ".raw", or as the path says
};

/// The newest that is meant by `path`: "…/NAME.v", "…/NAME.raw.v" or "….v/NAME___SUFFIX". Nothing when
/// it is no such path. Throws Error when there is no version in it that this machine can run.
[[nodiscard]] std::optional<std::string> pick(const std::string &path, What what);

} // namespace berth::versioned
