// SPDX-License-Identifier: LGPL-2.1-or-later
// berth-seccomp: compiles the filter of system calls of a machine. The launcher starts it when it
// has no such filter yet, and so needs not load libseccomp.
#include <getopt.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <iostream>
#include <optional>
#include <span>
#include <string>

#include "base/error.hpp"
#include "base/io.hpp"
#include "build.hpp"
#include "seccomp/compile.hpp"

namespace {

using namespace berth;

constexpr std::string_view usage =
    R"(berth-seccomp [OPTION…] [RULE…]

Compiles a machine's filter of system calls and writes it to stdout: a header, and
the programs for seccomp(2). berth's launcher starts this program.

  --capabilities=HEX   the capabilities that the machine keeps, as /proc/PID/status
                       shows them
  --suppress-sync      have fsync(2) and its like do nothing
  --help, --version    this text; the version

A RULE is a list as in systemd-nspawn(1), --system-call-filter=: "NAME @GROUP…"
allows, "~NAME @GROUP…" refuses. NAME:kill, NAME:log and NAME:ERRNO say what to do.
)";

[[nodiscard]] std::uint64_t parse_set(std::string_view text) {
    std::uint64_t set = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), set, 16);
    if (error != std::errc{} || end != text.data() + text.size())
        fail("--capabilities={}: give the set as a hexadecimal number", text);
    return set;
}

/// The request; nothing when there is nothing left to do.
[[nodiscard]] std::optional<seccomp::Request> parse(std::span<char *> words) {
    static const std::array<option, 5> options{{{"capabilities", required_argument, nullptr, 'c'},
                                                {"suppress-sync", no_argument, nullptr, 's'},
                                                {"help", no_argument, nullptr, 'h'},
                                                {"version", no_argument, nullptr, 'v'},
                                                {}}};
    seccomp::Request request;
    for (;;) {
        const int choice = ::getopt_long( // NOLINT(concurrency-mt-unsafe): there is one thread
            static_cast<int>(words.size()), words.data(), "+", options.data(), nullptr);
        if (choice < 0)
            break;
        switch (choice) {
        case 'c': request.capabilities = parse_set(optarg); break;
        case 's': request.suppress_sync = true; break;
        case 'h': std::cout << usage; return std::nullopt;
        case 'v': std::cout << "berth " << build::version << '\n'; return std::nullopt;
        default: fail("bad usage; see berth-seccomp --help");
        }
    }
    for (const char *word : words.subspan(static_cast<std::size_t>(optind)))
        request.rules.emplace_back(word);
    return request;
}

} // namespace

int main(int argc, char **argv) {
    try {
        const auto request = parse(std::span(argv, static_cast<std::size_t>(argc)));
        if (!request)
            return 0;
        if (::isatty(STDOUT_FILENO) != 0)
            fail("the filter is nothing for a terminal; send stdout to a file");
        const seccomp::Bundle bundle = seccomp::compile(*request);
        for (const std::string &warning : bundle.warnings)
            std::cerr << warning << '\n';
        write_all(STDOUT_FILENO, seccomp::encode(bundle), "the filter to stdout");
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
