// SPDX-License-Identifier: LGPL-2.1-or-later
// The kinds of namespaces (namespaces(7)), and what tells one namespace from another (ioctl_nsfs(2)).
#pragma once

#include <sys/types.h>

#include <compare>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"

namespace berth::ns {

struct Kind {
    std::string_view name; ///< as in /proc/PID/ns
    int flag;              ///< CLONE_NEW*
};

/// All eight, by name.
[[nodiscard]] std::span<const Kind> kinds();

/// The kind of that name; nullptr when there is none.
[[nodiscard]] const Kind *find_kind(std::string_view name);

/// Kinds with commas between, as --kind= takes them: none twice, in the order of kinds(). Throws Error
/// on other words; nothing for empty text.
[[nodiscard]] std::vector<const Kind *> parse_kinds(std::string_view text);

/// What a namespace is known by.
struct Id {
    dev_t device = 0;
    ino_t inode = 0;
    auto operator<=>(const Id &) const = default;
};

/// The namespace behind a descriptor.
[[nodiscard]] Id id_of(int fd);

/// The namespace of `kind` that process `pid` is in; nothing on a kernel without the kind. Throws
/// Error (EACCES without root).
[[nodiscard]] std::optional<Id> id_of(pid_t pid, const Kind &kind);

/// A descriptor of it; empty on a kernel without the kind.
[[nodiscard]] unique_fd open(pid_t pid, const Kind &kind);

/// The kind of the namespace behind `fd`; nullptr when it is none, or of a kind we do not know.
[[nodiscard]] const Kind *kind_of(int fd);

/// The user namespace that owns the namespace behind `fd`; empty when we may not see it, as it is
/// above our own.
[[nodiscard]] unique_fd owner_of(int fd);

/// The parent of a user or pid namespace; empty when it is above our own, or when there is none.
[[nodiscard]] unique_fd parent_of(int fd);

/// The user who made a user namespace, as we know him.
[[nodiscard]] uid_t creator_of(int user_namespace);

} // namespace berth::ns
