// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/style.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <format>
#include <limits>

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
    return on() ? std::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

/// A byte that continues a character, and so takes no column.
bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

/// How long a control sequence (ECMA-48, "CSI") at the beginning of `text` is; 0: there is none.
std::size_t sequence_length(std::string_view text) {
    if (!text.starts_with("\x1b["))
        return 0;
    for (std::size_t i = 2; i < text.size(); ++i)
        if (text[i] >= 0x40 && text[i] <= 0x7e)
            return i + 1;
    return 0;
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
    while (text.ends_with('\r'))
        text.remove_suffix(1);
    std::string clean;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto code = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        if (const std::size_t length = sequence_length(text.substr(i)); length > 0)
            i += length - 1;
        else if (code == 0xc2 && next >= 0x80 && next < 0xa0) { // U+0080 to U+009F steer terminals, too
            clean += std::format("\\u{:04x}", next);
            ++i;
        } else if ((code < 0x20 && code != '\t') || code == 0x7f)
            clean += std::format("\\x{:02x}", code);
        else
            clean += text[i];
    }
    return clean;
}

void complain(std::string_view text) noexcept {
    std::fprintf(stderr, "berth: %s\n", printable(text).c_str());
}

} // namespace berth::cli::style
