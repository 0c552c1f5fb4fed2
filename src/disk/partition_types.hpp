// SPDX-License-Identifier: LGPL-2.1-or-later
// The types of GPT partitions that mean something to a machine: the Discoverable Partitions
// Specification, https://uapi-group.org/specifications/specs/discoverable_partitions_specification/
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::disk {

/// How well code for an architecture runs here.
enum class Fit : std::uint8_t {
    foreign,   ///< not at all
    secondary, ///< natively, as 32 bit code on a 64 bit processor
    native,    ///< also what is bound to no architecture
};

struct PartitionType {
    std::string_view designator;   ///< "root", "home", "root-verity", "linux-generic"
    std::string_view architecture; ///< empty when it is bound to none
    Fit fit = Fit::native;
};

/// What the type `uuid` (in any notation) stands for; nothing when it is none of ours.
[[nodiscard]] std::optional<PartitionType> partition_type(std::string_view uuid);

/// Where a partition of that designator is mounted; empty for one that is not.
[[nodiscard]] std::string_view mount_path(std::string_view designator);

/// True where several partitions of a type are versions of one thing, of which the newest counts.
[[nodiscard]] bool is_versioned(std::string_view designator);

/// The UUID of this architecture's root partitions.
[[nodiscard]] std::string_view native_root_type();
[[nodiscard]] std::string_view native_architecture();

} // namespace berth::disk
