// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/mounts.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include <charconv>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"

namespace berth::mounts {

namespace {

/// The kernel's own words on what went wrong, or the text of `code`.
std::string reason(int context, int code) {
    std::array<char, 1024> message{};
    std::string text;
    for (ssize_t n = 0; (n = ::read(context, message.data(), message.size())) > 0;) {
        const std::string_view line(message.data(), static_cast<std::size_t>(n));
        if (line.starts_with("e ")) // errors; warnings and infos are not ours to tell
            text += (text.empty() ? "" : "; ") + std::string(line.substr(2));
    }
    while (text.ends_with('\n'))
        text.pop_back();
    return text.empty() ? errno_text(code) : text + " (" + errno_text(code) + ")";
}

[[noreturn]] void fail_context(int context, std::string_view doing, std::string_view type) {
    const int code = errno;
    throw Error(berth::format("{} {}: {}", doing, type, reason(context, code)), code);
}

bool set(int context, const Option &option) {
    const char *key = option.key.c_str();
    if (option.file >= 0 && ::fsconfig(context, FSCONFIG_SET_FD, key, nullptr, option.file) == 0)
        return true;
    if (option.value.empty())
        return ::fsconfig(context, FSCONFIG_SET_FLAG, key, nullptr, 0) == 0;
    return ::fsconfig(context, FSCONFIG_SET_STRING, key, option.value.c_str(), 0) == 0;
}

} // namespace

unique_fd new_filesystem(const std::string &type, const std::vector<Option> &options, unsigned attributes) {
    const unique_fd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
    if (!context)
        fail_errno("opening a filesystem context for {}", type);
    for (const Option &option : options)
        if (!set(context.get(), option))
            fail_context(context.get(), berth::format("setting {}={} of", option.key, option.value), type);
    if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
        fail_context(context.get(), "creating a filesystem of type", type);
    unique_fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
    if (!mount)
        fail_context(context.get(), "mounting a filesystem of type", type);
    return mount;
}

unique_fd clone_tree(int at, const std::string &path, bool recursive) {
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? unsigned{AT_RECURSIVE} : 0U)
                           | (path.empty() ? unsigned{AT_EMPTY_PATH} : 0U);
    unique_fd mount(::open_tree(at, path.c_str(), flags));
    if (!mount)
        fail_errno("taking a copy of the mount at {}", path.empty() ? "a descriptor" : path);
    return mount;
}

void set_attributes(int fd, unsigned set, unsigned clear, bool recursive) {
    mount_attr attributes{};
    attributes.attr_set = set;
    attributes.attr_clr = clear;
    const unsigned flags = AT_EMPTY_PATH | (recursive ? unsigned{AT_RECURSIVE} : 0U);
    if (::mount_setattr(fd, "", flags, &attributes, sizeof attributes) < 0)
        fail_errno("setting the attributes of a mount");
}

void set_id_map(int fd, int user_namespace, bool recursive) {
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
    const unsigned flags = AT_EMPTY_PATH | (recursive ? unsigned{AT_RECURSIVE} : 0U);
    if (::mount_setattr(fd, "", flags, &attributes, sizeof attributes) < 0)
        fail_errno("mapping the users of a mount");
}

void attach(int fd, int target, std::string_view what) {
    if (::move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        fail_errno("mounting {}", what);
}

namespace {

/// As the kernel writes paths in its tables: blanks and backslashes are "\\NNN".
std::string unescape_octal(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char byte = 0;
        const bool escaped = text[i] == '\\' && text.size() - i > 3
                             && std::from_chars(text.data() + i + 1, text.data() + i + 4, byte, 8).ec == std::errc();
        plain += escaped ? static_cast<char>(byte) : text[i];
        i += escaped ? 3 : 0;
    }
    return plain;
}

} // namespace

std::vector<std::string> below(const std::string &path) {
    const std::string above = path == "/" ? path : path + "/";
    std::vector<std::string> found;
    const std::string text = read_file("/proc/self/mountinfo"); // proc_pid_mountinfo(5)
    for (const std::string &line : split(text, '\n')) {
        const std::vector<std::string> fields = split(line, ' ');
        if (fields.size() < 5)
            continue;
        const std::string place = unescape_octal(fields[4]);
        if (place.size() > above.size() && place.starts_with(above))
            found.push_back(place.substr(above.size()));
    }
    return found;
}

std::uint64_t id_of(int fd) {
    struct statx st{};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &st) < 0)
        fail_errno("asking for the number of a mount");
    return st.stx_mnt_id;
}

} // namespace berth::mounts
