// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/overlay.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <format>
#include <utility>

#include "base/error.hpp"
#include "base/host_path.hpp"
#include "runtime/mounts.hpp"

namespace berth::overlay {

namespace {

std::string path_of(int fd) {
    return std::format("/proc/self/fd/{}", fd);
}

unique_fd duplicate(int fd) {
    unique_fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy)
        fail_errno("keeping a directory open");
    return copy;
}

/// Gives layers a path for as long as it lives: before Linux 6.13 overlayfs takes them by path alone, and
/// before 6.15 only from mounts that are attached. Where nobody can put something else at it, that is the
/// path that people know, so that the overlay's options tell them where its layers are.
class Stage {
public:
    Stage() = default;
    Stage(const Stage &) = delete;
    Stage &operator=(const Stage &) = delete;
    ~Stage() {
        for (auto place = covered_.rbegin(); place != covered_.rend(); ++place)
            ::umount2(place->c_str(), MNT_DETACH);
    }

    /// The path of `path`, which `place` shows.
    std::string name(const std::string &path, unique_fd place) {
        if (host_path::is_fixed(path))
            return path;
        return path_of(held_.emplace_back(std::move(place)).get());
    }

    /// Covers the directory `path` with the mount of it, and returns the path at which that is found.
    std::string cover(const std::string &path, const unique_fd &place, unique_fd mount) {
        if (path == "/") { // what covers it is not seen from it
            covered_.push_back(cover_elsewhere(mount.get()));
            return covered_.back();
        }
        mounts::attach(mount.get(), place.get(), path);
        const bool fixed = host_path::is_fixed(path);
        held_.push_back(std::move(mount));
        covered_.push_back(fixed ? path : path_of(held_.back().get()));
        return covered_.back();
    }

    /// `name` in the directory at `path`, which is one of ours.
    std::string below(const std::string &path, const std::string &name) {
        if (!path.starts_with("/proc/self/fd/"))
            return path + "/" + name;
        const unique_fd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        unique_fd entry(::openat(folder.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!folder || !entry)
            fail_errno("opening the directory {} of an overlay", name);
        return path_of(held_.emplace_back(std::move(entry)).get());
    }

private:
    static std::string cover_elsewhere(int mount) {
        const std::string place = "/run/berth/host";
        if (::mkdir(place.c_str(), 0700) < 0 && errno != EEXIST)
            fail_errno("creating the directory {}", place);
        const unique_fd target(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!target)
            fail_errno("opening the directory {}", place);
        mounts::attach(mount, target.get(), place);
        return place;
    }

    std::vector<std::string> covered_;
    std::vector<unique_fd> held_;
};

class Builder {
public:
    explicit Builder(IdMaps &ids) : ids_(ids) {}

    /// The path at which overlayfs finds `layer`.
    std::string place(const Layer &layer) {
        if (layer.path.starts_with("/proc/self/fd/")) // in the machine's tree
            return layer.path;
        unique_fd place =
            layer.place >= 0 ? duplicate(layer.place) : host_path::open(layer.path, O_PATH | O_DIRECTORY);
        if (layer.mapped || !ids_.map_trees())
            return stage_.name(layer.path, std::move(place));
        unique_fd mount = mounts::clone_tree(place.get(), "", false);
        struct stat root{};
        if (::fstat(mount.get(), &root) < 0)
            fail_errno("looking at {}", layer.path);
        map(mount.get(), root, layer.path);
        return stage_.cover(layer.path, place, std::move(mount));
    }

    std::string below(const std::string &path, const std::string &name) { return stage_.below(path, name); }

private:
    void map(int mount, const struct stat &root, const std::string &path) {
        try {
            ids_.map_tree(mount, root, false);
        } catch (const Error &error) {
            throw Error(std::format("{}: its filesystem cannot map users, which a layer needs in a machine "
                                    "with users of its own ({})",
                                    path, error.what()),
                        error.code());
        }
    }

    IdMaps &ids_;
    Stage stage_;
};

} // namespace

unique_fd mount(const Request &request, IdMaps &ids) {
    Builder builder(ids);
    std::vector<mounts::Option> options{{"source", "overlay"}};
    for (auto layer = request.lowers.rbegin(); layer != request.lowers.rend(); ++layer) // topmost first
        options.emplace_back("lowerdir+", builder.place(*layer));
    if (!request.upper.empty()) {
        // Upper and work must be seen through one and the same mount.
        const std::filesystem::path upper(request.upper);
        const std::filesystem::path work(request.work);
        if (upper.parent_path() != work.parent_path())
            fail("{} and {} are not beside each other", upper.native(), work.native());
        const std::string parent =
            builder.place({.path = upper.parent_path().native(), .place = request.upper_folder});
        options.emplace_back("upperdir", builder.below(parent, upper.filename().native()));
        options.emplace_back("workdir", builder.below(parent, work.filename().native()));
    }
    return mounts::new_filesystem("overlay", options, request.attributes);
}

} // namespace berth::overlay
