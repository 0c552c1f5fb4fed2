// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/layers.hpp"

#include <libmount/libmount.h>

#include <cstring>
#include <format>
#include <memory>
#include <string_view>

#include "base/error.hpp"

namespace berth::cli {

namespace {

struct Unref {
    void operator()(libmnt_table *table) const noexcept { ::mnt_unref_table(table); }
    void operator()(libmnt_iter *iter) const noexcept { ::mnt_free_iter(iter); }
};

bool has_option(const char *options, const char *name) {
    char *value = nullptr;
    std::size_t size = 0;
    return options != nullptr && ::mnt_optstr_get_option(options, name, &value, &size) == 0;
}

/// The kernel writes what would look like its own punctuation as "\ooo".
std::string unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
        if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
            plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

/// Splits lowerdir= at its colons; in it "\:" is a colon of a name.
void add_lowers(std::vector<std::string> &lowers, std::string_view list) {
    std::string current;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] == '\\' && i + 1 < list.size()) {
            current += list[++i];
        } else if (list[i] == ':') {
            lowers.push_back(current);
            current.clear();
        } else {
            current += list[i];
        }
    }
    lowers.push_back(current);
}

void read_overlay(RootMount &mount, const char *options) {
    std::string copy(options);
    char *rest = copy.data();
    char *name = nullptr;
    char *value = nullptr;
    std::size_t name_size = 0;
    std::size_t value_size = 0;
    while (::mnt_optstr_next_option(&rest, &name, &name_size, &value, &value_size) == 0) {
        const std::string_view key(name, name_size);
        const std::string text = value != nullptr ? unescaped({value, value_size}) : "";
        if (key == "upperdir")
            mount.upper = text;
        else if (key == "lowerdir+") // layers given one by one, as we do
            mount.lowers.push_back(text);
        else if (key == "lowerdir")
            add_lowers(mount.lowers, text);
    }
}

} // namespace

RootMount root_mount_of(pid_t pid) {
    const std::string path = std::format("/proc/{}/mountinfo", pid);
    const std::unique_ptr<libmnt_table, Unref> table(::mnt_new_table_from_file(path.c_str()));
    const std::unique_ptr<libmnt_iter, Unref> iter(::mnt_new_iter(MNT_ITER_BACKWARD)); // the topmost first
    if (!table || !iter)
        fail_errno("reading {}", path);
    libmnt_fs *fs = nullptr;
    while (::mnt_table_next_fs(table.get(), iter.get(), &fs) == 0) {
        const char *target = ::mnt_fs_get_target(fs);
        if (target == nullptr || std::strcmp(target, "/") != 0)
            continue;
        RootMount mount;
        mount.type = ::mnt_fs_get_fstype(fs);
        mount.read_only =
            has_option(::mnt_fs_get_vfs_options(fs), "ro") || has_option(::mnt_fs_get_fs_options(fs), "ro");
        if (const char *options = ::mnt_fs_get_fs_options(fs); mount.type == "overlay" && options != nullptr)
            read_overlay(mount, options);
        return mount;
    }
    fail("{} shows no mount at /", path);
}

} // namespace berth::cli
