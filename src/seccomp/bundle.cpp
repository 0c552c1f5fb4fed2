// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/bundle.hpp"

#include <array>
#include <cstring>

#include "base/parse.hpp"

namespace berth::seccomp {

namespace {

constexpr std::array<char, 8> magic{'b', 'e', 'r', 't', 'h', 'b', 'p', 'f'};
constexpr std::uint32_t current_format = 1;
constexpr std::size_t max_programs = 8;

struct Header {
    std::array<char, 8> magic;
    std::uint32_t format;
    std::uint32_t libseccomp;
    std::uint32_t recipe_size;                       ///< in bytes
    std::uint32_t warnings_size;                     ///< in bytes: lines
    std::array<std::uint32_t, max_programs> lengths; ///< in instructions; 0 behind the last program
};

constexpr std::size_t unit = sizeof(sock_filter);
static_assert(sizeof(Header) % unit == 0);

[[nodiscard]] std::size_t padded(std::size_t size) noexcept {
    return (size + unit - 1) / unit * unit;
}

[[nodiscard]] std::size_t size_of(const Header &header) noexcept {
    std::size_t size = sizeof header + padded(std::size_t{header.recipe_size} + header.warnings_size);
    for (const std::uint32_t length : header.lengths)
        size += length * unit;
    return size;
}

/// False when a length is none the kernel takes, or comes behind the end.
[[nodiscard]] bool lengths_valid(const Header &header) noexcept {
    bool ended = false;
    for (const std::uint32_t length : header.lengths) {
        if (length > BPF_MAXINSNS || (ended && length != 0))
            return false;
        ended = length == 0;
    }
    return header.lengths.front() != 0;
}

} // namespace

std::string encode(const Bundle &bundle) {
    std::string warnings;
    for (const std::string &warning : bundle.warnings)
        warnings += warning + "\n";
    Header header{.magic = magic,
                  .format = current_format,
                  .libseccomp = bundle.libseccomp,
                  .recipe_size = static_cast<std::uint32_t>(bundle.recipe.size()),
                  .warnings_size = static_cast<std::uint32_t>(warnings.size()),
                  .lengths = {}};
    for (std::size_t i = 0; i < bundle.programs.size(); ++i)
        header.lengths.at(i) = static_cast<std::uint32_t>(bundle.programs[i].size());

    std::string data(sizeof header, '\0');
    std::memcpy(data.data(), &header, sizeof header);
    data += bundle.recipe + warnings;
    data.resize(padded(data.size()));
    for (const Program &program : bundle.programs) {
        const std::size_t at = data.size();
        data.resize(at + program.size() * unit);
        std::memcpy(data.data() + at, program.data(), program.size() * unit);
    }
    return data;
}

std::optional<Bundle> decode(std::string_view data) {
    Header header{};
    if (data.size() < sizeof header)
        return std::nullopt;
    std::memcpy(&header, data.data(), sizeof header);
    if (header.magic != magic || header.format != current_format || !lengths_valid(header)
        || data.size() != size_of(header))
        return std::nullopt;

    Bundle bundle;
    bundle.libseccomp = header.libseccomp;
    bundle.recipe = data.substr(sizeof header, header.recipe_size);
    for (std::string &line :
         split(data.substr(sizeof header + header.recipe_size, header.warnings_size), '\n'))
        if (!line.empty())
            bundle.warnings.push_back(std::move(line));
    std::size_t at = sizeof header + padded(std::size_t{header.recipe_size} + header.warnings_size);
    for (const std::uint32_t length : header.lengths) {
        if (length == 0)
            break;
        Program &program = bundle.programs.emplace_back(length);
        std::memcpy(program.data(), data.data() + at, length * unit);
        at += length * unit;
    }
    return bundle;
}

} // namespace berth::seccomp
