// SPDX-License-Identifier: LGPL-2.1-or-later
// Network namespaces that stand for machines and for other hosts, and berth-network between them.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "support/process.hpp"

namespace berth::test {

/// A network namespace with one process in it.
class NetworkSpace {
public:
    NetworkSpace();

    /// Ends its process. The namespace goes with it, unless it is open.
    void end();

    [[nodiscard]] std::string path() const;
    [[nodiscard]] unique_fd open() const;

    /// Words that run a command in it.
    [[nodiscard]] Words words(const Words &command) const;
    /// Runs a command in it, which must succeed; gives what it prints.
    std::string exec(const Words &command) const;

private:
    Process holder_;
};

/// The words of berth-network with a namespace as descriptor 5.
[[nodiscard]] Words network_words(const std::string &verb, const std::string &space_path);

/// `{"machine":"MACHINE","netns":5,REST}`.
[[nodiscard]] std::string network_request(const std::string &machine, const std::string &rest);

/// Runs berth-network to its end.
[[nodiscard]] Outcome network(const std::string &verb, const NetworkSpace &space, const std::string &machine,
                              const std::string &rest);

/// The same; it must succeed.
std::string network_succeeds(const std::string &verb, const NetworkSpace &space, const std::string &machine,
                             const std::string &rest);

} // namespace berth::test
