// SPDX-License-Identifier: LGPL-2.1-or-later
// Which tree or image, and what the machine is called.
#include <sys/stat.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/names.hpp"
#include "plan/parts.hpp"
#include "plan/versioned.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

/// Takes the directory, disk or raw image that `folder` has of this name; false when it has none.
bool take_from(const std::string &folder, const std::string &name, RootConfig &root) {
    const std::string path = folder + "/" + name;
    struct stat st{};
    if (::stat(path.c_str(), &st) == 0) {
        if (S_ISDIR(st.st_mode))
            root.directory = path;
        else if (S_ISBLK(st.st_mode))
            root.image = path;
        return S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode);
    }
    for (const char *suffix : {".v", ".raw.v"}) {
        if (::stat((path + suffix).c_str(), &st) < 0 || !S_ISDIR(st.st_mode))
            continue;
        (std::string_view(suffix) == ".v" ? root.directory : root.image) = path + suffix;
        return true;
    }
    const std::string raw = path + ".raw";
    if (::stat(raw.c_str(), &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    root.image = raw;
    root.read_only = root.read_only || (st.st_mode & 0222) == 0;
    return true;
}

std::string absolute(const std::string &path, const HostFacts &facts) {
    const fs::path whole = (fs::path(facts.working_directory) / path).lexically_normal();
    return whole.has_filename() || whole == "/" ? whole.native() : whole.parent_path().native();
}

} // namespace

MachineConfig with_root(MachineConfig config, const HostFacts &facts) {
    RootConfig &root = config.root;
    if (root.directory.empty() && root.layers.empty() && root.image.empty()) {
        if (config.name.empty() && !root.template_tree.empty())
            fail("{}: a template needs a directory or a machine to be made",
                 plan_parts::origin_of(config, "root.template", "--template"));
        else if (config.name.empty())
            root.directory = facts.working_directory;
        else if (!root.template_tree.empty() && !facts.image_directories.empty())
            root.directory = facts.image_directories.front() + "/" + config.name;
        else
            for (const std::string &folder : facts.image_directories)
                if (take_from(folder, config.name, root))
                    break;
    }
    if (!root.directory.empty()) {
        root.directory = absolute(root.directory, facts);
        root.directory = versioned::pick(root.directory, versioned::What::directory).value_or(root.directory);
    }
    if (!root.image.empty()) {
        root.image = absolute(root.image, facts);
        root.image = versioned::pick(root.image, versioned::What::image).value_or(root.image);
    }
    return config;
}

std::string name_of(const MachineConfig &config, const HostFacts &facts) {
    if (!config.name.empty())
        return config.name;
    const RootConfig &root = config.root;
    fs::path path(!root.image.empty()    ? root.image
                  : !root.layers.empty() ? root.layers.back()
                                         : root.directory);
    if (!root.image.empty() && path.extension() == ".raw")
        path.replace_extension();
    if (!path.has_filename())
        path = path.parent_path();
    std::string name = clean_machine_name(path == "/" ? facts.host_name : path.filename().native());
    if (name.empty())
        fail("no machine name can be made from {}: give one with --machine", path.native());
    if (root.ephemeral)
        name = clean_machine_name(name.substr(0, 47) + "-" + random_id().substr(0, 16));
    return name;
}

} // namespace berth
