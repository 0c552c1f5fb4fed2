// SPDX-License-Identifier: LGPL-2.1-or-later
// What libblkid lets pass in a GPT, or passes over without a word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace berth::disk::gpt {

/// The size of the sectors that the GPT counts in, from where its header is; nothing when there is
/// none. Throws Error when there are several.
[[nodiscard]] std::optional<unsigned> sector_size(int fd, const std::string &name);

/// True when the first sector says that the disk has a GPT (the "protective MBR").
[[nodiscard]] bool is_announced(int fd, const std::string &name);

/// Throws Error unless headers keep to reasonable sizes and lie, with all they speak of, within
/// the `size` bytes. Says nothing about checksums.
void check_headers(int fd, std::uint64_t size, unsigned sector_size, const std::string &name);

/// Throws Error unless every partition is within the range that the (checked) header gives.
void check_entries(int fd, unsigned sector_size, const std::string &name);

} // namespace berth::disk::gpt
