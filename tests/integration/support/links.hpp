// SPDX-License-Identifier: LGPL-2.1-or-later
// Network links as the kernel has them, on the host and in other network namespaces.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace berth::test {

/// That of a process, as a path.
[[nodiscard]] std::string network_of(pid_t process);

/// All links as ip(8) shows them, of the network namespace at a path.
[[nodiscard]] nlohmann::json links_in(const std::string &network);
[[nodiscard]] nlohmann::json host_links();

/// One of them, by any of its names; null when there is none.
[[nodiscard]] nlohmann::json link_in(const std::string &network, const std::string &name);
[[nodiscard]] nlohmann::json host_link(const std::string &name);

[[nodiscard]] bool is_up(const nlohmann::json &link);
/// "veth" and the like; empty for the loopback.
[[nodiscard]] std::string kind_of(const nlohmann::json &link);
[[nodiscard]] std::vector<std::string> names_of(const nlohmann::json &links);

/// A veth pair of the host's that stands for hardware: wire0 and wire1.
class Wire {
public:
    Wire();
    Wire(const Wire &) = delete;
    Wire &operator=(const Wire &) = delete;
    ~Wire();
};

/// A bridge of the host's.
class Bridge {
public:
    explicit Bridge(std::string name);
    Bridge(const Bridge &) = delete;
    Bridge &operator=(const Bridge &) = delete;
    ~Bridge();

private:
    std::string name_;
};

} // namespace berth::test
