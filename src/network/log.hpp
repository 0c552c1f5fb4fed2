// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace berth::network {

/// Says something worth knowing that is no error of the request's, on the descriptor `log`.
void warn(int log, const std::string &text) noexcept;

} // namespace berth::network
