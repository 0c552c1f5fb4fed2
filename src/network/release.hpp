// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "network/plan.hpp"

namespace berth::network {

/// Takes back what a machine that has ended was given: its interfaces go to the host under their
/// old names, its links and its zone's bridge are removed. May be done again. Does all it can, then
/// throws Error with what it could not do.
void release(const Request &request);

} // namespace berth::network
