// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/attach.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/printable.hpp"
#include "base/rooted.hpp"
#include "base/tree_lock.hpp"
#include "disk/choose.hpp"
#include "disk/file.hpp"
#include "disk/filesystem.hpp"
#include "disk/loop.hpp"
#include "disk/table.hpp"

namespace berth::disk {

namespace {

/// How long an image may still be in use before we give up on it.
constexpr std::chrono::seconds patience{2};

struct Opened {
    std::vector<LockFile> locks; ///< those that others than us take
    ImageFile image;
    Table table;
    Choice choice;
};

/// Opens the image to use it, with our own lock held and, if that is wanted, those of others.
Opened open_locked(const std::string &path, const Request &request) {
    Opened opened{.locks = {}, .image = open_image(path, request.read_only), .table = {}, .choice = {}};
    lock_image(opened.image);
    struct stat st{};
    if (::fstat(opened.image.fd.get(), &st) < 0)
        fail_errno("looking at {}", path);
    if (request.lock)
        opened.locks =
            tree_lock::take(std::filesystem::canonical(path).native(), st,
                            request.read_only ? LockFile::Mode::shared : LockFile::Mode::exclusive);
    return opened;
}

void look_into(Opened &opened, const ImagePolicy &policy) {
    const ImageFile &image = opened.image;
    opened.table = read_table(image.fd.get(), image.size, image.sector_size, image.name);
    opened.choice = choose(opened.table, image.name, policy);
    if (const std::string problem = opened.choice.first_problem(); !problem.empty())
        throw Error(problem);
}

/// Opens the image and looks into it, for writing only if some of it can be written to: whatever is read-only
/// may be used by several at once.
Opened open_as_needed(const std::string &path, Request request) {
    if (!request.read_only) {
        Opened first{.locks = {}, .image = open_image(path, true), .table = {}, .choice = {}};
        look_into(first, request.policy);
        request.read_only = std::ranges::all_of(first.choice.uses, &Use::read_only);
    }
    // The kernel takes its time to let go of what a machine that has just ended had mounted.
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        try {
            Opened opened = open_locked(path, request);
            look_into(opened, request.policy);
            return opened;
        } catch (const Error &error) {
            if (error.code() != EBUSY || std::chrono::steady_clock::now() > deadline)
                throw;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

bool is_directory(int root, const std::string &path) {
    return static_cast<bool>(rooted::try_open(root, path, O_PATH | O_DIRECTORY));
}

bool is_empty_directory(int root, const std::string &path) {
    unique_fd fd = rooted::try_open(root, path, O_RDONLY | O_DIRECTORY);
    if (!fd)
        return false;
    const std::unique_ptr<DIR, decltype([](DIR *open) { ::closedir(open); })> directory(
        ::fdopendir(fd.get()));
    if (!directory)
        return false;
    (void)fd.release();
    const auto is_dots = [](std::string_view name) { return name == "." || name == ".."; };
    const dirent *entry = nullptr;
    while ((entry = ::readdir(directory.get())) != nullptr && is_dots(entry->d_name)) {
    }
    return entry == nullptr;
}

/// Mounts one partition after the other.
class Attacher {
public:
    struct Mounted {
        Use use;
        unique_fd mount;
    };

    explicit Attacher(const Opened &opened) : opened_(opened), loops_(opened.image) {}

    std::vector<Mounted> mount_all() {
        for (const Use &use : opened_.choice.uses) {
            if (!use.is_boot())
                mount_one(use);
            else if (auto placed = place(use))
                mount_for_boot(*placed);
        }
        return std::move(mounted_);
    }

private:
    /// Where the tree has a place for a boot partition, as systemd-nspawn(1) looks for it.
    [[nodiscard]] std::optional<Use> place(Use use) const {
        const int root = mounted_.front().mount.get();
        const auto &uses = opened_.choice.uses;
        if (is_directory(root, use.path))
            return use;
        const bool boot_is_taken =
            std::ranges::any_of(uses, [](const Use &other) { return other.path == "/boot"; });
        if (use.designator != "esp" || boot_is_taken || !is_empty_directory(root, "/boot"))
            return std::nullopt;
        use.path = "/boot";
        return use;
    }

    void mount_for_boot(const Use &use) {
        if (!use.problem.empty())
            throw Error(use.problem);
        try {
            mount_one(use);
        } catch (const Error &error) {
            if (error.code() != ENODEV)
                throw;
            // No machine boots from it: better without than not at all.
            std::fprintf(stderr, "warning: %s; %s stays empty\n", printable(error.what()).c_str(),
                         use.path.c_str());
        }
    }

    void mount_one(const Use &use) {
        const Partition &partition = opened_.table.partitions[use.partition];
        const std::string name =
            berth::format("{} ({})", call(partition, opened_.image.name), use.designator);
        const std::string &type = partition.content.type;
        if (type == "ext4")
            check_ext4(opened_.image.fd.get(), partition.offset, name);
        const bool read_only = use.read_only || opened_.image.read_only;
        const Loop loop = loops_.make(partition.offset, partition.size, read_only);
        Mounted mounted{.use = use, .mount = {}};
        mounted.use.read_only = read_only;
        try {
            mounted.mount = mount_filesystem(type, loop.path, use.designator, read_only);
        } catch (const Error &error) {
            throw Error(berth::format("mounting {}: {}", name,
                                      error.code() == ENODEV ? "this kernel has no support for " + type
                                                             : error.what()),
                        error.code());
        }
        if (use.grow && !read_only)
            grow(mounted.mount.get(), partition, name);
        mounted_.push_back(std::move(mounted));
    }

    /// Growing is a wish of whoever made the image; it can be used all the same.
    static void grow(int mount, const Partition &partition, const std::string &name) {
        try {
            grow_filesystem(partition.content.type, mount, partition.size);
        } catch (const Error &error) {
            std::fprintf(stderr, "warning: growing the filesystem of %s: %s\n", printable(name).c_str(),
                         printable(error.what()).c_str());
        }
    }

    const Opened &opened_;
    Loops loops_;
    std::vector<Mounted> mounted_;
};

void send(int socket, const Json &message, int fd) {
    std::string text = json_text(message); // labels are any bytes
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<unsigned char, CMSG_SPACE(sizeof fd)> control{};
    if (fd >= 0) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    if (::sendmsg(socket, &header, MSG_NOSIGNAL) < 0)
        fail_errno("handing a mount over");
}

void check_socket(int socket) {
    int domain = 0;
    int type = 0;
    socklen_t length = sizeof domain;
    if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0
        || ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        fail_errno("descriptor {}, which the mounts are to be sent over", socket);
    if (domain != AF_UNIX || type != SOCK_SEQPACKET)
        fail("descriptor {}, which the mounts are to be sent over, is no Unix socket of type SOCK_SEQPACKET",
             socket);
}

} // namespace

void attach(const std::string &path, const Request &request, int socket) {
    check_socket(socket);
    Opened opened = open_as_needed(path, request);
    for (const Attacher::Mounted &mounted : Attacher(opened).mount_all()) {
        const Partition &partition = opened.table.partitions[mounted.use.partition];
        send(socket,
             {{"designator", mounted.use.designator},
              {"path", mounted.use.path},
              {"read_only", mounted.use.read_only},
              {"filesystem", partition.content.type},
              {"label", partition.label},
              {"uuid", partition.uuid}},
             mounted.mount.get());
    }
    for (LockFile &lock : opened.locks) {
        send(socket, {{"lock", lock.path()}, {"exclusive", lock.mode() == LockFile::Mode::exclusive}},
             lock.fd());
        lock.hand_over();
    }
    send(socket, {{"end", true}}, -1);
}

} // namespace berth::disk
