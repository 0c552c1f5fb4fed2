// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of the tree that follow the host's: /etc/resolv.conf, /etc/localtime, and the journal
// (--resolv-conf=, --timezone= and --link-journal= of systemd-nspawn(1)).
#pragma once

#include "runtime/plan.hpp"

namespace berth::host_files {

/// Settles all three in the tree behind `root`. What the machine's own mounts leave no room for
/// stays as it is.
void settle(const LaunchPlan &plan, int root);

} // namespace berth::host_files
