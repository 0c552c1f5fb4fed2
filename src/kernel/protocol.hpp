// SPDX-License-Identifier: LGPL-2.1-or-later
// What launcher and inner say to each other while a machine is made, over one SOCK_SEQPACKET pair.
//
//     inner                                   launcher
//                            <----  mapped    (its users are known; with a user namespace only)
//     mounted (console, notify socket) ---->
//                            <----  go        (registered, in its control group, limits set)
//     end of file: exec succeeded ---->
//     failed (errno, text) ---->              at any time instead
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::protocol {

enum class Kind : std::uint32_t {
    end,     ///< the other side closed its end
    mapped,  ///< launcher: the user namespace has its maps
    mounted, ///< inner: the tree stands; descriptors, unless the launcher has them: notify socket,
             ///< console master (unless piped)
    go,      ///< launcher: enter the cgroup namespace and exec
    failed,  ///< inner: text and errno
    // Of those who join a machine (join_steps.hpp):
    prepared, ///< ready to be looked at from outside
    born,     ///< descriptor: pidfd of the command's process
};

/// The text of `mounted` where the machine's init is one that tells when it is up.
inline constexpr std::string_view init_notifies = "init-notifies";

struct Message {
    Kind kind = Kind::end;
    int code = 0;
    std::string text;
    std::vector<unique_fd> fds;
};

/// The two ends: launcher's, inner's. Both close on exec.
[[nodiscard]] std::pair<unique_fd, unique_fd> make_pair();

void send(int socket, Kind kind, int code = 0, std::string_view text = {}, const std::vector<int> &fds = {});

/// Waits for a message, at most `deadline`. Throws ETIMEDOUT past it.
[[nodiscard]] Message receive(int socket, std::chrono::milliseconds deadline);

/// receive() that insists on `kind`; a failure of the other side is thrown as its Error.
/// `doing` says what is waited for.
[[nodiscard]] Message expect(int socket, Kind kind, std::chrono::milliseconds deadline,
                             std::string_view doing);

} // namespace berth::protocol
