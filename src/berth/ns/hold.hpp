// SPDX-License-Identifier: LGPL-2.1-or-later
// Namespaces that live on without processes, as they are mounted on files /run/berth/ns/NAME/KIND.
// A name comes and goes as a whole, by renaming its directory: what a killed process leaves half done
// has another name, and is swept away when the name is next held or released.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/ns/target.hpp"

namespace berth::ns {

/// Where the names are.
inline constexpr std::string_view held_directory = "/run/berth/ns";

/// Throws Error that says what a name may be.
void require_held_name(std::string_view name);

/// True when something is held under `name`.
[[nodiscard]] bool is_held(std::string_view name);

/// Holds all of the target, or nothing when it throws.
void hold(const std::string &name, const Target &target);

/// Lets go of those of `wanted`; empty: of all.
void release(const std::string &name, const Kinds &wanted);

/// Opens what is held under `name`, those of `wanted` or all.
[[nodiscard]] Target open_held(const std::string &name, const Kinds &wanted);

} // namespace berth::ns
