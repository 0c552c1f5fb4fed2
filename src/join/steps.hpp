// SPDX-License-Identifier: LGPL-2.1-or-later
// The processes that go into a machine, from their birth to the command's exec.
//
//     intermediate                             berth                        the command's process
//     enters, gives up all that the
//     machine does not have, and takes
//     on its system call filters
//     prepared ---------------------------->   checks it from outside
//              <----------------------------   go
//     forks ------------------------------------------------------------->  (pid namespace, too)
//     born (its pidfd) -------------------->
//     exits                                    <-------------------------   prepared (a session)
//                                              checks it from outside
//                                              go ---------------------->   exec
//
// The filters are the machine's own word: from where they are on no system call is believed. The
// process that those inside can see never has more than they.
#pragma once

#include "join/join.hpp"

namespace berth::join_steps {

/// What the intermediate process does. Never returns; what fails is told over `socket`.
[[noreturn]] void run(const join::Target &target, const join::Command &command, const entering::Stdio &stdio,
                      int socket) noexcept;

} // namespace berth::join_steps
