// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/network_space.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>

#include "base/error.hpp"

namespace berth::test {

NetworkSpace::NetworkSpace() : holder_({"unshare", "--net", "sh", "-c", "echo up; exec sleep infinity"}) {
    holder_.wait_for("up\n");
}

void NetworkSpace::end() {
    holder_.send_signal(SIGKILL);
    (void)holder_.wait();
}

std::string NetworkSpace::path() const {
    return berth::format("/proc/{}/ns/net", holder_.pid());
}

unique_fd NetworkSpace::open() const {
    unique_fd fd(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        fail_errno("opening {}", path());
    return fd;
}

Words NetworkSpace::words(const Words &command) const {
    Words all{"nsenter", "--net=" + path()};
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

std::string NetworkSpace::exec(const Words &command) const {
    return succeed(words(command));
}

Words network_words(const std::string &verb, const std::string &space_path) {
    return {"sh", "-c", R"(exec 5<"$1"; exec /usr/libexec/berth/berth-network "$0")", verb, space_path};
}

std::string network_request(const std::string &machine, const std::string &rest) {
    return berth::format(R"({{"machine":"{}","netns":5{}{}}})", machine, rest.empty() ? "" : ",", rest)
           + "\n";
}

Outcome network(const std::string &verb, const NetworkSpace &space, const std::string &machine,
                const std::string &rest) {
    return run(network_words(verb, space.path()), network_request(machine, rest));
}

std::string network_succeeds(const std::string &verb, const NetworkSpace &space, const std::string &machine,
                             const std::string &rest) {
    const Outcome outcome = network(verb, space, machine, rest);
    EXPECT_EQ(outcome.status, 0) << verb << " of " << machine << ": " << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return outcome.out;
}

} // namespace berth::test
