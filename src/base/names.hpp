// SPDX-License-Identifier: LGPL-2.1-or-later
// Names of machines, hosts and units: what is valid, and how one is made from another.
#pragma once

#include <string>
#include <string_view>

namespace berth {

/// A machine name as systemd knows it: a valid host name (letters, digits, "-", "_", "."; no
/// empty label, no leading or trailing dot or dash in a label), 1 to 64 characters.
[[nodiscard]] bool machine_name_valid(std::string_view name) noexcept;

/// Throws an Error that says what is wrong with `name` and what a name may be.
void require_machine_name(std::string_view name);

/// The nearest valid machine name: other characters dropped, cut to 64. May come out empty.
[[nodiscard]] std::string clean_machine_name(std::string_view name);

/// A name that a user or group can have: letters, digits, "-", "_" and ".", the first of them a
/// letter or "_", 1 to 31 characters. Such a name is fit to be part of a file's.
[[nodiscard]] bool user_name_valid(std::string_view name) noexcept;

/// Escapes text for use in a unit name, as systemd-escape(1) does without options.
[[nodiscard]] std::string unit_escape(std::string_view text);

/// The scope of a machine: machine-<escaped name>.scope.
[[nodiscard]] std::string scope_name(std::string_view machine);

/// Escapes the way the files in /run/systemd/machines hold strings: C escapes for control
/// characters, quotes and backslash.
[[nodiscard]] std::string c_escape(std::string_view text);

/// Undoes c_escape(). Throws Error on a malformed escape.
[[nodiscard]] std::string c_unescape(std::string_view text);

} // namespace berth
