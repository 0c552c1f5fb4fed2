// SPDX-License-Identifier: LGPL-2.1-or-later
#include "network/log.hpp"

#include <cstdio>

namespace berth::network {

void warn(int log, const std::string &text) noexcept {
    ::dprintf(log, "berth-network: warning: %s\n", text.c_str());
}

} // namespace berth::network
