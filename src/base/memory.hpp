// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace berth {

/// Lets the pages of our programs' code and constants go; those still needed come back from the
/// page cache when they are touched. For a process that started up with much code and idles with
/// little.
void release_code_pages() noexcept;

} // namespace berth
