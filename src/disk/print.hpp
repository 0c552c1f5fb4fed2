// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>

#include "disk/choose.hpp"
#include "disk/table.hpp"

namespace berth::disk {

/// What is in an image, for programs: one JSON object, in one line.
[[nodiscard]] std::string dissection_json(const std::string &name, std::uint64_t size, const Table &table,
                                          const Choice &choice);

/// Prints it for people.
void print_dissection(const std::string &name, std::uint64_t size, const Table &table, const Choice &choice);

} // namespace berth::disk
