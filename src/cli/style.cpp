// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/style.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <limits>

#include "base/format.hpp"
#include "base/printable.hpp"

namespace berth::cli::style {

namespace {

bool wants_colours() {
    const char *terminal = std::getenv("TERM"); // NOLINT(concurrency-mt-unsafe): there is one thread
    return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr // NOLINT(concurrency-mt-unsafe)
           && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::size_t columns_of_stdout() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return std::numeric_limits<std::size_t>::max();
}

std::string styled(std::string_view code, std::string_view text) {
    return on() ? berth::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

/// A byte that continues a character, and so takes no column.
bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

} // namespace

bool on() {
    static const bool colours = wants_colours();
    return colours;
}

std::string underlined(std::string_view text) {
    return styled("4", text);
}

std::string bold(std::string_view text) {
    return styled("1", text);
}

std::string grey(std::string_view text) {
    return styled("90", text);
}

std::string red(std::string_view text) {
    return styled("1;31", text);
}

std::string yellow(std::string_view text) {
    return styled("33", text);
}

std::size_t columns() {
    static const std::size_t count = columns_of_stdout();
    return count;
}

std::size_t width(std::string_view text) {
    std::size_t count = 0;
    for (const char byte : text)
        if (!continues(byte))
            ++count;
    return count;
}

std::string shortened(std::string_view text, std::size_t columns) {
    if (width(text) <= columns)
        return std::string(text);
    std::size_t count = 0;
    std::size_t end = 0;
    while (end < text.size() && (continues(text[end]) || ++count < columns))
        ++end;
    return columns == 0 ? std::string() : std::string(text.substr(0, end)) + "…";
}

std::string printable(std::string_view text) {
    return berth::printable(text);
}

void complain(std::string_view text) noexcept {
    std::fprintf(stderr, "berth: %s\n", printable(text).c_str());
}

} // namespace berth::cli::style
