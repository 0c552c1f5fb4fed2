// SPDX-License-Identifier: LGPL-2.1-or-later
// Loop devices (loop(4)) that go away by themselves.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "disk/file.hpp"

namespace berth::disk {

/// A block device that is a range of an image. Once nobody has it open or mounted, the kernel
/// detaches it: until something is mounted from it, that is when `fd` is closed.
struct Loop {
    unique_fd fd;
    std::string path; ///< valid in our mount namespace
};

/// Makes them. Where /dev lacks the device nodes, this process moves to a mount namespace of its
/// own, in which it gets a /dev with nothing but what is needed here.
class Loops {
public:
    explicit Loops(const ImageFile &image);

    [[nodiscard]] Loop make(std::uint64_t offset, std::uint64_t size, bool read_only);

private:
    unique_fd open_node(const std::string &path, mode_t kind, dev_t number);
    std::optional<Loop> try_make(std::uint64_t offset, std::uint64_t size, bool read_only);

    const ImageFile &image_;
    bool own_dev_ = false;
    unique_fd control_;
};

} // namespace berth::disk
