// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of our own process in a /proc that others may have mounted things on.
#pragma once

#include <string>
#include <string_view>

namespace berth::own_proc {

/// Writes `data` to /proc/thread-self/NAME, as write_control() does. Throws Error when that is not the
/// kernel's own file: something else is mounted there, or on the way.
void write(const std::string &name, std::string_view data);

} // namespace berth::own_proc
