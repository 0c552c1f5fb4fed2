// SPDX-License-Identifier: LGPL-2.1-or-later
// Values of settings about the network. All throw Error that says what is wrong.
#pragma once

#include <string>
#include <string_view>

#include "config/machine_config.hpp"

namespace berth::network_syntax {

/// The name of a network link: 1 to 15 printable characters without "/", ":", "%" or blanks, not
/// "." or "..", not a number (dev_valid_name() of the kernel, ip-link(8)).
[[nodiscard]] std::string link_name(std::string_view value);

/// HOST[:INSIDE]; INSIDE is `prefix` and HOST, cut to a name's length, when it is left out.
[[nodiscard]] LinkPair link_pair(std::string_view value, std::string_view prefix = "");

/// A zone: what makes a link name with "vz-" before it.
[[nodiscard]] std::string zone(std::string_view value);

/// [tcp:|udp:]PORT[:PORT].
[[nodiscard]] PortForward port(std::string_view value);

/// The name of a machine, or an absolute path.
[[nodiscard]] std::string machine_or_path(std::string_view value);

} // namespace berth::network_syntax
