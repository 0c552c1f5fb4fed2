// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/snapshot.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace berth::test {

namespace fs = std::filesystem;

namespace {

/// FNV-1a, 64 bits: nobody is trying to deceive us.
class Hash {
public:
    void add(const char *data, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i)
            value_ = (value_ ^ static_cast<unsigned char>(data[i])) * 0x100000001b3U;
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0xcbf29ce484222325U;
};

std::uint64_t content_hash(const fs::path &file) {
    // Reading must not change what is looked at.
    const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME));
    if (!fd)
        fail_errno("opening {}", file.native());
    Hash hash;
    static std::array<char, std::size_t{1024} * 1024> buffer;
    for (;;) {
        const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
        if (n < 0)
            fail_errno("reading {}", file.native());
        if (n == 0)
            return hash.value();
        hash.add(buffer.data(), static_cast<std::size_t>(n));
    }
}

std::string attributes_of(const fs::path &path) {
    std::array<char, 65536> names{};
    const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
    if (size < 0)
        return errno == ENOTSUP ? "" : throw Error("listing the attributes of " + path.native(), errno);
    std::vector<std::string> lines;
    for (const char *name = names.data(); name < names.data() + size;
         name += std::string_view(name).size() + 1) {
        std::array<char, 65536> value{};
        const ssize_t length = ::lgetxattr(path.c_str(), name, value.data(), value.size());
        Hash hash;
        hash.add(value.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
        lines.push_back(berth::format(" {}={:x}", name, hash.value()));
    }
    std::ranges::sort(lines);
    std::string text;
    for (const std::string &line : lines)
        text += line;
    return text;
}

std::string describe(const fs::path &path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) < 0)
        fail_errno("looking at {}", path.native());
    std::string text = berth::format("mode {:o} owner {}:{} links {} mtime {}.{:09}", st.st_mode, st.st_uid,
                                     st.st_gid, st.st_nlink, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if (S_ISREG(st.st_mode))
        text += berth::format(" size {} content {:016x}", st.st_size, content_hash(path));
    else if (S_ISLNK(st.st_mode))
        text += " to " + fs::read_symlink(path).native();
    else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        text += berth::format(" device {:x}", st.st_rdev);
    return text + attributes_of(path);
}

} // namespace

Snapshot snapshot(const fs::path &root) {
    Snapshot found{{".", describe(root)}};
    for (const auto &entry : fs::recursive_directory_iterator(root))
        found[entry.path().lexically_relative(root).native()] = describe(entry.path());
    return found;
}

std::vector<std::string> differences(const Snapshot &before, const Snapshot &after) {
    std::vector<std::string> lines;
    for (const auto &[path, description] : before) {
        const auto found = after.find(path);
        if (found == after.end())
            lines.push_back(path + " is gone");
        else if (found->second != description)
            lines.push_back(path + ": was " + description + ", is " + found->second);
    }
    for (const auto &[path, description] : after)
        if (!before.contains(path))
            lines.push_back(path + " is new: " + description);
    return lines;
}

} // namespace berth::test
