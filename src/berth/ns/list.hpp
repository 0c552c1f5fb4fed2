// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cli/options.hpp"

namespace berth::ns {

/// Prints the namespaces that are not the caller's own, or that are held under a name.
void list(const cli::Settings &settings);

} // namespace berth::ns
