// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/io.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/unique_fd.hpp"

namespace berth {

unique_fd duplicate(int fd) {
    unique_fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy)
        fail_errno("keeping a file open");
    return copy;
}

std::string read_all(int fd, std::string_view what, std::size_t limit) {
    std::string data;
    std::size_t used = 0;
    for (;;) {
        if (used == data.size())
            data.resize(used + 4096);
        const ssize_t n = ::read(fd, data.data() + used, data.size() - used);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            fail_errno("reading {}", what);
        }
        if (n == 0)
            break;
        used += static_cast<std::size_t>(n);
        if (used > limit)
            fail_code(EFBIG, "reading {}", what);
    }
    data.resize(used);
    return data;
}

std::optional<std::string> read_file_if_there(const std::filesystem::path &path) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) {
        if (errno == ENOENT)
            return std::nullopt;
        fail_errno("opening {}", path.native());
    }
    return read_all(fd.get(), path.native());
}

std::string read_file(const std::filesystem::path &path) {
    auto data = read_file_if_there(path);
    if (!data)
        fail_code(ENOENT, "opening {}", path.native());
    return std::move(*data);
}

std::string read_regular_file(const std::filesystem::path &path) {
    const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat st{};
    if (!fd || ::fstat(fd.get(), &st) < 0)
        fail_errno("opening {}", path.native());
    if (!S_ISREG(st.st_mode))
        fail("{} is not a regular file", path.native());
    return read_all(fd.get(), path.native());
}

void write_all(int fd, std::string_view data, std::string_view what) {
    while (!data.empty()) {
        const ssize_t n = ::write(fd, data.data(), data.size());
        if (n < 0) {
            if (errno == EINTR)
                continue;
            fail_errno("writing {}", what);
        }
        data.remove_prefix(static_cast<std::size_t>(n));
    }
}

void write_file_atomic(const std::filesystem::path &path, std::string_view data, mode_t mode) {
    std::string temporary = (path.parent_path() / (".#" + path.filename().native() + "XXXXXX")).native();
    const unique_fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd)
        fail_errno("creating a temporary file beside {}", path.native());
    try {
        write_all(fd.get(), data, temporary);
        if (::fchmod(fd.get(), mode) < 0)
            fail_errno("setting the mode of {}", temporary);
        if (::rename(temporary.c_str(), path.c_str()) < 0)
            fail_errno("renaming {} to {}", temporary, path.native());
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
}

void write_control(const std::filesystem::path &path, std::string_view data) {
    const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd)
        fail_errno("opening {}", path.native());
    ssize_t n = 0;
    do
        n = ::write(fd.get(), data.data(), data.size());
    while (n < 0 && errno == EINTR);
    if (n < 0)
        fail_errno("writing \"{}\" to {}", data, path.native());
}

std::string descriptor_path(int fd) {
    return berth::format("/proc/self/fd/{}", fd);
}

} // namespace berth
