// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace berth {

/// Lets the pages of our programs' code and constants go; those still needed come back from the
/// page cache when they are touched. For a process that started up with much code and idles with
/// little.
void release_code_pages() noexcept;

/// Overwrites our command line and the environment that we were started with, which others may be able to
/// read. To be called where nothing refers to them any more: after clearenv(3). `title` is what others see
/// instead, as far as there is room.
void forget_arguments(std::string_view title = {});

} // namespace berth
