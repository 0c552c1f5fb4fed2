// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/names.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/error.hpp"

namespace berth {

namespace {

constexpr std::size_t max_name = 64;      // HOST_NAME_MAX
constexpr std::size_t max_user_name = 31; // utmp(5) has no room for more

bool plain(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

} // namespace

bool machine_name_valid(std::string_view name) noexcept {
    if (name.empty() || name.size() > max_name)
        return false;
    char before = '.';
    for (const char c : name) {
        if (c == '.' ? before == '.' || before == '-' : c == '-' ? before == '.' : !plain(c) && c != '_')
            return false;
        before = c;
    }
    return before != '.' && before != '-';
}

bool user_name_valid(std::string_view name) noexcept {
    const auto fits = [](char c) { return plain(c) || c == '-' || c == '_' || c == '.'; };
    return !name.empty() && name.size() <= max_user_name && std::ranges::all_of(name, fits)
           && name.front() != '-' && name.front() != '.' && (name.front() < '0' || name.front() > '9');
}

void require_machine_name(std::string_view name) {
    if (!machine_name_valid(name))
        fail("\"{}\" is not a machine name: letters, digits, \"-\", \"_\" and \".\" are allowed, "
             "1 to {} of them, with no dot or dash at either end",
             c_escape(name), max_name);
}

std::string clean_machine_name(std::string_view name) {
    std::string clean;
    for (const char c : name) {
        const char before = clean.empty() ? '.' : clean.back();
        if (plain(c) || c == '_' || (c == '-' && before != '.')
            || (c == '.' && before != '.' && before != '-'))
            clean.push_back(c);
        if (clean.size() == max_name)
            break;
    }
    while (!clean.empty() && (clean.back() == '.' || clean.back() == '-'))
        clean.pop_back();
    return clean;
}

std::string unit_escape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '/')
            out.push_back('-');
        else if (plain(c) || c == ':' || c == '_' || (c == '.' && i != 0))
            out.push_back(c);
        else
            out += berth::format("\\x{:02x}", static_cast<std::uint8_t>(c));
    }
    return out;
}

std::string scope_name(std::string_view machine) {
    return "machine-" + unit_escape(machine) + ".scope";
}

std::string c_escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\\': out += "\\\\"; break;
        case '"': out += "\\\""; break;
        case '\'': out += "\\'"; break;
        default:
            if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
                out += berth::format("\\x{:02x}", static_cast<std::uint8_t>(c));
            else
                out.push_back(c);
        }
    }
    return out;
}

std::string c_unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out.push_back(text[i]);
            continue;
        }
        if (++i == text.size())
            fail("a backslash ends \"{}\"", text);
        switch (text[i]) {
        case 'n': out.push_back('\n'); break;
        case 'r': out.push_back('\r'); break;
        case 't': out.push_back('\t'); break;
        case 'a': out.push_back('\a'); break;
        case 'b': out.push_back('\b'); break;
        case 'f': out.push_back('\f'); break;
        case 'v': out.push_back('\v'); break;
        case 's': out.push_back(' '); break;
        case '\\':
        case '"':
        case '\'': out.push_back(text[i]); break;
        case 'x': {
            const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
            if (low < 0)
                fail("\"{}\" has a \\x that two hexadecimal digits do not follow", text);
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
            break;
        }
        default: fail("\"{}\" has the unknown escape \\{}", text, text[i]);
        }
    }
    return out;
}

} // namespace berth
