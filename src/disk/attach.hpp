// SPDX-License-Identifier: LGPL-2.1-or-later
// Mounts what is in an image, detached, and hands the mounts over.
#pragma once

#include <string>

#include "config/image_policy.hpp"

namespace berth::disk {

struct Request {
    ImagePolicy policy;
    bool read_only = false;
    bool lock = false; ///< against systemd-nspawn and machined, too
};

/// Sends the mounts of the image at `path` over `socket` (AF_UNIX, SOCK_SEQPACKET), each as a message
/// with one descriptor:
///
///     {"designator":"root","path":"/","read_only":false,"filesystem":"ext4","label":"","uuid":"…"}
///
/// parents before children, then with Request::lock the locks that tree_lock::take() gave,
///
///     {"lock":"/srv/.#disk.raw.lck","exclusive":true}
///
/// and {"end":true} at last. Label and UUID are the partition's, or the
/// filesystem's own when the image has no partitions. Throws Error, before anything is sent, when
/// not all can be mounted, or the image is not as Request::policy has it.
void attach(const std::string &path, const Request &request, int socket);

} // namespace berth::disk
