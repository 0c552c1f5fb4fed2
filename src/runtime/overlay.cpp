// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/overlay.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/error.hpp"
#include "runtime/mounts.hpp"

namespace berth::overlay {

namespace {

/// Gives detached mounts a path for as long as it lives: before Linux 6.13 overlayfs takes its
/// layers by path alone, and before 6.15 only from mounts that are attached. They cover the very
/// directories that they show, so that the overlay's options tell people where its layers are.
class Stage {
public:
    Stage() = default;
    Stage(const Stage &) = delete;
    Stage &operator=(const Stage &) = delete;
    ~Stage() {
        for (auto place = covered_.rbegin(); place != covered_.rend(); ++place)
            ::umount2(place->c_str(), MNT_DETACH);
    }

    /// Returns the path at which `mount`, which shows the directory `path`, is found.
    std::string cover(const std::string &path, int mount) {
        // What covers "/" is not seen from it.
        const std::string place = path == "/" ? "/run/berth/host" : path;
        if (path == "/" && ::mkdir(place.c_str(), 0700) < 0 && errno != EEXIST)
            fail_errno("creating the directory {}", place);
        const unique_fd target(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!target)
            fail_errno("opening the directory {}", place);
        mounts::attach(mount, target.get(), place);
        covered_.push_back(place);
        return place;
    }

private:
    std::vector<std::string> covered_;
};

class Builder {
public:
    explicit Builder(IdMaps &ids) : ids_(ids) {}

    /// The path at which overlayfs finds `layer`.
    std::string place(const Layer &layer) {
        if (layer.mapped || !ids_.map_trees())
            return layer.path;
        const unique_fd mount = mounts::clone_tree(AT_FDCWD, layer.path, false);
        struct stat root{};
        if (::fstat(mount.get(), &root) < 0)
            fail_errno("looking at {}", layer.path);
        map(mount.get(), root, layer.path);
        return stage_.cover(layer.path, mount.get());
    }

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
        const std::string parent = builder.place({.path = upper.parent_path().native()});
        options.emplace_back("upperdir", parent + "/" + upper.filename().native());
        options.emplace_back("workdir", parent + "/" + work.filename().native());
    }
    return mounts::new_filesystem("overlay", options, request.attributes);
}

} // namespace berth::overlay
