// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sdbus-c++/Types.h>

#include <string>

namespace berth {

/// The object path `prefix`/`name`, with what is not allowed in paths escaped (sd_bus_path_encode(3)).
[[nodiscard]] sdbus::ObjectPath object_path(const char *prefix, const std::string &name);

} // namespace berth
