// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace berth {

/// "Europe/Berlin" of the link that the host's /etc/localtime is (localtime(5)); empty when it is none.
[[nodiscard]] std::string host_time_zone();

} // namespace berth
