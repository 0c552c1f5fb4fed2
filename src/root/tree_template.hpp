// SPDX-License-Identifier: LGPL-2.1-or-later
// Making a tree from another one (--template= of systemd-nspawn(1)).
#pragma once

#include <string>

namespace berth::tree_template {

/// Makes `tree` a copy of `from`, sharing blocks where the filesystem can, unless it exists
/// already. A copy that was cut short is never taken for a tree; the next call makes it anew.
void instantiate(const std::string &from, const std::string &tree);

} // namespace berth::tree_template
