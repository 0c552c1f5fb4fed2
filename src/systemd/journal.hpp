// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading the journal (sd-journal(3)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace berth::journal {

struct Entry {
    std::uint64_t realtime = 0;  ///< microseconds since 1970
    std::uint64_t monotonic = 0; ///< microseconds since the boot of the host that wrote it
    std::map<std::string, std::string> fields;

    /// The field's value, or empty.
    [[nodiscard]] std::string field(const std::string &name) const;
};

/// Which entries are wanted.
struct Query {
    std::string unit;        ///< what it logged, and what systemd logged about it
    std::string machine_id;  ///< and what the machine of this ID logged to its own journal; may be empty
    std::uint64_t since = 0; ///< microseconds since 1970
    std::size_t most = 10;   ///< 0: none
};

/// The last entries that match, oldest first. A journal that is not there has none.
[[nodiscard]] std::vector<Entry> last(const Query &query);

} // namespace berth::journal
