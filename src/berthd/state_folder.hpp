// SPDX-License-Identifier: LGPL-2.1-or-later
// Machines as files: what berthd finds again after a restart, and what the rest of the system reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "berthd/record.hpp"

namespace berth {

/// Two folders. `shared` is /run/systemd/machines, the interface to everyone, in which
/// systemd-machined writes as well; it takes over and rewrites what it finds there when it
/// starts. So what is ours stands in `own`, /run/berth/machines, and only that is read back.
class StateFolder {
public:
    StateFolder(std::filesystem::path own, std::filesystem::path shared);

    /// Writes the files of a machine.
    void save(const Record &record) const;

    /// Removes them. In the shared folder only what tells of this very leader.
    void remove(const Record &record) const;

    /// All machines in the own folder. Files that make no sense are left out with a warning.
    [[nodiscard]] std::vector<Record> load() const;

    /// True when the shared folder holds a living machine of that name, or in that unit, which
    /// somebody else registered.
    [[nodiscard]] bool taken_elsewhere(const std::string &name, const std::string &unit) const;

private:
    std::filesystem::path own_;
    std::filesystem::path shared_;
};

} // namespace berth
