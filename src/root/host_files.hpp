// SPDX-License-Identifier: LGPL-2.1-or-later
// Files of the tree that follow the host's: /etc/resolv.conf, /etc/localtime, and the journal
// (--resolv-conf=, --timezone= and --link-journal= of systemd-nspawn(1)).
#pragma once

#include <string>

#include <sys/types.h>

#include "plan/plan.hpp"

namespace berth::host_files {

/// Settles all three in the tree behind `root`, whose machine's root is `owner`: links in it may lead
/// into what is bound from the host, where nothing is written that `owner` could not write. What the
/// machine's own mounts leave no room for stays as it is.
void settle(const LaunchPlan &plan, int root, uid_t owner);

} // namespace berth::host_files
