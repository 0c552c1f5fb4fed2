// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/parts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/rooted.hpp"

namespace berth::plan_parts {

namespace fs = std::filesystem;

namespace {

/// The directory at `path` with all symlinks resolved.
std::string resolve_directory(const std::string &path, const std::string &origin) {
    std::error_code error;
    const fs::path resolved = fs::canonical(path, error);
    if (error)
        fail_code(error.value(), "{}: {}", origin, path);
    if (!fs::is_directory(resolved))
        fail_code(ENOTDIR, "{}: {}", origin, resolved.native());
    return resolved.native();
}

/// The tree that --directory= names; one that a template is to become need not exist.
std::string resolve_tree(const MachineConfig &config, const std::string &tree) {
    const std::string origin = origin_of(config, "root.directory", "--directory");
    std::error_code error;
    if (config.root.template_tree.empty() || fs::exists(tree, error))
        return resolve_directory(tree, origin);
    const fs::path path(tree);
    return resolve_directory(path.parent_path(), origin) + "/" + path.filename().native();
}

void plan_image(const MachineConfig &config, RootPlan &root) {
    root.origin = {origin_of(config, "root.image", "--image")};
    if (!config.root.directory.empty() || !config.root.layers.empty() || !config.root.template_tree.empty())
        fail("{}: an image goes neither with a directory, a template nor layers", root.origin.text);
    std::error_code error;
    const fs::path resolved = fs::canonical(config.root.image, error);
    if (error)
        fail_code(error.value(), "{}: {}", root.origin.text, config.root.image);
    root.image = resolved.native();
    root.image_policy = config.root.image_policy;
}

void collect_layers(const MachineConfig &config, const HostFacts &facts, const std::string &name,
                    RootPlan &root) {
    root.origin = {origin_of(config, "root.directory", "--directory")};
    if (!config.root.directory.empty())
        root.layers.push_back(resolve_tree(config, config.root.directory));
    const std::string origin = origin_of(config, "root.layers", "--layer");
    for (const std::string &layer : config.root.layers)
        root.layers.push_back(resolve_directory(layer, origin));
    if (root.layers.empty())
        fail("no tree to run \"{}\" from: there is none in {}; name one with --directory or --layer", name,
             facts.image_directories.empty() ? "/var/lib/machines" : facts.image_directories.front());
    for (const std::string &layer : root.layers)
        if (std::ranges::count(root.layers, layer) > 1)
            fail("{}: {} is there twice", origin, layer);
}

Upper::Kind upper_kind(const MachineConfig &config) {
    const RootConfig &root = config.root;
    const bool ephemeral = root.ephemeral || root.volatile_mode == Volatile::overlay;
    if (ephemeral && root.upper && root.upper->kind != Upper::Kind::ephemeral)
        fail("{}: a machine cannot be ephemeral and keep what it writes",
             origin_of(config, "root.upper", "--upper"));
    if (ephemeral)
        return Upper::Kind::ephemeral;
    if (root.upper)
        return root.upper->kind;
    const bool written = !root.read_only && root.volatile_mode == Volatile::no;
    // Layers are never written to, and nothing is lost.
    return !root.layers.empty() && written ? Upper::Kind::persistent : Upper::Kind::none;
}

std::string upper_directory(const MachineConfig &config, const HostFacts &facts, const std::string &name,
                            Upper::Kind kind) {
    fs::path path;
    switch (kind) {
    case Upper::Kind::none: return {};
    case Upper::Kind::ephemeral: path = facts.runtime_directory + "/upper"; break;
    case Upper::Kind::persistent: path = facts.state_directory + "/uppers/" + name; break;
    case Upper::Kind::path: path = config.root.upper->path; break;
    }
    std::error_code error;
    const fs::path resolved = fs::weakly_canonical(path, error); // it need not be there yet
    return error ? path.native() : resolved.native();
}

void check_template(const MachineConfig &config, RootPlan &root) {
    if (config.root.template_tree.empty())
        return;
    const std::string origin = origin_of(config, "root.template", "--template");
    if (config.root.ephemeral)
        fail("{}: a template goes not with an ephemeral machine, which needs none", origin);
    root.template_tree = resolve_directory(config.root.template_tree, origin);
}

/// The layers as overlayfs looks through them, topmost first, the upper included.
std::vector<std::string> top_down(const RootPlan &root) {
    std::vector<std::string> order(root.layers.rbegin(), root.layers.rend());
    std::error_code error;
    if (!root.template_tree.empty() && !fs::exists(root.layers[0], error))
        order = {root.template_tree};
    if (root.is_overlay() && root.upper != Upper::Kind::ephemeral && !root.upper_directory.empty())
        order.insert(order.begin(), root.upper_directory + "/upper");
    return order;
}

/// The directory to look in for `path`: the topmost layer that has it. Empty when none does, or
/// when a layer above hides it by a whiteout (a character device 0:0).
unique_fd layer_with(const RootPlan &root, std::string_view path) {
    for (const std::string &layer : top_down(root)) {
        unique_fd directory(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory)
            continue; // an upper that is yet to be made
        const unique_fd entry = rooted::try_open(directory.get(), path, O_PATH | O_NOFOLLOW);
        struct stat st{};
        if (!entry || ::fstat(entry.get(), &st) < 0)
            continue;
        if (S_ISCHR(st.st_mode) && st.st_rdev == ::makedev(0, 0))
            return {};
        return directory;
    }
    return {};
}

} // namespace

RootPlan root(const MachineConfig &config, const HostFacts &facts, const std::string &name) {
    RootPlan root;
    root.read_only = config.root.read_only || config.root.volatile_mode == Volatile::state;
    root.usr_only = config.root.volatile_mode == Volatile::yes;
    root.pivot_new = config.root.pivot_new;
    root.pivot_old = config.root.pivot_old;
    root.upper = upper_kind(config);
    root.upper_directory = upper_directory(config, facts, name, root.upper);
    if (!config.root.image.empty()) {
        plan_image(config, root);
        root.kind = root.upper == Upper::Kind::none ? RootPlan::Kind::directory : RootPlan::Kind::overlay;
        return root;
    }
    check_template(config, root);
    collect_layers(config, facts, name, root);
    if (root.upper == Upper::Kind::none && root.layers.size() == 1) {
        root.kind = RootPlan::Kind::directory;
        if (root.layers[0] == "/" && !root.read_only && !root.usr_only)
            fail("{}: the host's own root can only be run with --ephemeral, --volatile or --read-only",
                 root.origin.text);
        return root;
    }
    root.kind = RootPlan::Kind::overlay;
    return root;
}

std::optional<std::string> read_merged(const RootPlan &root, std::string_view path) {
    if (!root.image.empty())
        return std::nullopt; // to be opened yet
    const unique_fd layer = layer_with(root, path);
    if (!layer)
        return std::nullopt;
    try {
        return rooted::read_file(layer.get(), path);
    } catch (const Error &) {
        return std::nullopt; // hostile or broken: as good as missing
    }
}

void require_os_tree(const LaunchPlan &plan) {
    const RootPlan &root = plan.root;
    if (!root.check_os || !root.image.empty() || !root.pivot_new.empty() || plan.os_is_mounted)
        return; // to be seen when it is mounted
    const std::string where = root.layers.size() == 1 ? root.layers[0]
                                                      : berth::format("the stack of {} layers under {}",
                                                                      root.layers.size(), root.layers.back());
    if (plan.mode == ExecMode::boot) {
        if (!layer_with(root, "etc/os-release") && !layer_with(root, "usr/lib/os-release"))
            fail("{}: {} does not look like an OS tree: it has no os-release file", root.origin.text, where);
    } else if (!layer_with(root, "usr")) {
        fail("{}: {} does not look like an OS tree: it has no /usr", root.origin.text, where);
    }
}

} // namespace berth::plan_parts
