// SPDX-License-Identifier: LGPL-2.1-or-later
// The folders that overlayfs needs beside uppers on the host, for as long as a machine lives.
#pragma once

#include <string>

#include "base/unique_fd.hpp"

namespace berth {

/// The work folder of the upper at `upper`: beside it, and so on the same filesystem, as it must be.
[[nodiscard]] std::string work_folder_of(const std::string &upper);

/// Has it made, and removes it at the end. One that a killed launcher left is taken over. Only one
/// machine at a time may write to an upper: the folder is locked (flock(2)).
class WorkFolder {
public:
    /// Throws Error (EBUSY) when another machine writes to `upper`.
    explicit WorkFolder(const std::string &upper);
    WorkFolder(WorkFolder &&) noexcept = default;
    WorkFolder &operator=(WorkFolder &&) = delete;
    WorkFolder(const WorkFolder &) = delete;
    WorkFolder &operator=(const WorkFolder &) = delete;
    ~WorkFolder();

private:
    std::string name_;
    unique_fd parent_; ///< the folder that it is in, whatever comes to be at the path
    unique_fd lock_;
};

} // namespace berth
