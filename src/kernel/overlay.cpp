// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kernel/overlay.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "base/error.hpp"
#include "base/host_path.hpp"
#include "base/io.hpp"
#include "kernel/mounts.hpp"

namespace berth::overlay {

namespace {

/// A layer as overlayfs is told of it.
struct Place {
    std::string path;
    int file = -1; ///< where something else may be at the path that people know: then `path` is by this
};

/// Gives layers a place for as long as it lives: before Linux 6.13 overlayfs takes them by path alone, and
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

    /// That of the directory `path`, which `place` shows.
    Place name(const std::string &path, unique_fd place) {
        return host_path::is_fixed(path) ? Place{.path = path} : hold(path, std::move(place));
    }

    /// Covers the directory `path` with the mount of it.
    Place cover(const std::string &path, const unique_fd &place, unique_fd mount) {
        if (path == "/") { // what covers it is not seen from it
            covered_.push_back(cover_elsewhere(mount.get()));
            return {.path = covered_.back()};
        }
        mounts::attach(mount.get(), place.get(), path);
        const bool fixed = host_path::is_fixed(path);
        const Place held = hold(path, std::move(mount));
        covered_.push_back(fixed ? path : held.path);
        return fixed ? Place{.path = path} : held;
    }

    /// `name` in the directory at `folder`. That nobody can replace the folder says nothing of what is in it.
    Place below(const Place &folder, const std::string &name) {
        const std::string path = folder.path + "/" + name;
        if (folder.file < 0 && host_path::is_fixed(path))
            return {.path = path};
        if (folder.file < 0)
            return hold(path, host_path::open(path, O_PATH | O_DIRECTORY));
        unique_fd entry(::openat(folder.file, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!entry)
            fail_errno("opening the directory {} of an overlay", name);
        return hold(known_[folder.path] + "/" + name, std::move(entry));
    }

    /// `text` with the paths that people know.
    [[nodiscard]] std::string told(std::string text) const {
        for (const auto &[path, known] : known_)
            for (std::size_t at = 0; (at = text.find(path, at)) != std::string::npos; at += known.size())
                text.replace(at, path.size(), known);
        return text;
    }

private:
    Place hold(const std::string &known, unique_fd file) {
        const int fd = held_.emplace_back(std::move(file)).get();
        const std::string path = descriptor_path(fd);
        known_[path] = known;
        return {.path = path, .file = fd};
    }

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
    std::map<std::string, std::string, std::greater<>> known_; ///< longer ones first
};

class Builder {
public:
    explicit Builder(IdMaps &ids) : ids_(ids) {}

    /// Where overlayfs finds `layer`.
    Place place(const Layer &layer) {
        if (layer.path.starts_with("/proc/self/fd/")) // in the machine's tree
            return {.path = layer.path};
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

    Place below(const Place &folder, const std::string &name) { return stage_.below(folder, name); }

    [[nodiscard]] std::string told(const std::string &text) const { return stage_.told(text); }

private:
    void map(int mount, const struct stat &root, const std::string &path) {
        try {
            ids_.map_tree(mount, root, false);
        } catch (const Error &error) {
            if (error.code() != EINVAL)
                throw Error(path + ": " + error.what(), error.code());
            throw Error(berth::format("{}: its filesystem cannot map users, which a layer needs in a machine "
                                      "with users of its own ({})",
                                      path, error.what()),
                        error.code());
        }
    }

    IdMaps &ids_;
    Stage stage_;
};

} // namespace

namespace {

/// Of these two overlayfs takes backslashes away, of "lowerdir+" it does not.
std::string escaped(const std::string &path) {
    std::string text;
    for (const char c : path) {
        if (c == '\\')
            text += c;
        text += c;
    }
    return text;
}

} // namespace

unique_fd mount(const Request &request, IdMaps &ids) {
    Builder builder(ids);
    std::vector<mounts::Option> options{{"source", "overlay"}};
    const auto add = [&](const char *key, const Place &place) {
        options.emplace_back(key, place.path, place.file);
    };
    for (auto layer = request.lowers.rbegin(); layer != request.lowers.rend(); ++layer) // topmost first
        add("lowerdir+", builder.place(*layer));
    if (!request.upper.empty()) {
        // Upper and work must be seen through one and the same mount.
        const std::filesystem::path upper(request.upper);
        const std::filesystem::path work(request.work);
        if (upper.parent_path() != work.parent_path())
            fail("{} and {} are not beside each other", upper.native(), work.native());
        const Place parent = builder.place({.path = upper.parent_path().native(),
                                            .place = request.upper_folder,
                                            .mapped = request.upper_mapped});
        for (const auto &[key, name] :
             {std::pair{"upperdir", upper.filename()}, {"workdir", work.filename()}}) {
            Place place = builder.below(parent, name.native());
            if (place.file < 0)
                place.path = escaped(place.path);
            add(key, place);
        }
    }
    try {
        return mounts::new_filesystem("overlay", options, request.attributes);
    } catch (const Error &error) {
        throw Error(builder.told(error.what()), error.code());
    }
}

} // namespace berth::overlay
