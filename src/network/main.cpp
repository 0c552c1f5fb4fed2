// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-network: links, addresses and port forwarding of one machine. The launcher starts it with
// a Request, one line of JSON, on stdin.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/printable.hpp"
#include "network/expose.hpp"
#include "network/netlink.hpp"
#include "network/plan.hpp"
#include "network/release.hpp"
#include "network/setup.hpp"

namespace {

using namespace berth;
using namespace berth::network;

/// One line: what follows it is not ours to read yet.
std::string read_line() {
    std::string line;
    char c = 0;
    while (line.size() < max_file_size) {
        const ssize_t n = ::read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail_errno("reading the request for a network from stdin");
        if (n == 0 || c == '\n')
            return line;
        line += c;
    }
    fail("the request for a network is longer than {} bytes", max_file_size);
}

/// A signal to all of a terminal shall not end what takes milliseconds and must not stop half-way.
void finish_in_peace() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM})
        ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

void run(std::string_view verb) {
    if (verb == "expose") {
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            fail_errno("asking to end with our parent");
    } else if (verb == "setup" || verb == "release") {
        finish_in_peace();
    } else {
        fail("usage: berth-network setup|release|expose, with a request on stdin");
    }
    const Request request = parse_request(read_line());
    require_other_namespace(request.netns);
    if (verb == "setup")
        write_all(STDOUT_FILENO, links_text(set_up(request)) + "\n", "stdout");
    else if (verb == "release")
        release(request);
    else
        expose(request);
}

} // namespace

int main(int argc, char *argv[]) {
    try {
        ::signal(SIGPIPE, SIG_IGN); // NOLINT(cert-err33-c): it cannot fail for this signal
        run(argc == 2 ? argv[1] : "");
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "berth-network: %s\n", printable(error.what()).c_str());
        return 1;
    }
}
