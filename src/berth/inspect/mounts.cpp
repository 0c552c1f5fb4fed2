// SPDX-License-Identifier: LGPL-2.1-or-later
// The mounts that a machine sees, as a tree; from its mountinfo (proc_pid_mountinfo(5)) by libmount.
#include <libmount.h>

#include <algorithm>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "berth/inspect/layers.hpp"
#include "berth/inspect/text.hpp"
#include "berth/inspect/topic.hpp"

namespace berth::cli {

namespace {

/// Deeper nesting is shown at this depth: a machine may pile up mounts as it likes.
constexpr std::size_t max_depth = 40;

struct Mount {
    int id = 0;
    int parent = 0;
    std::string target;
    std::string source;
    std::string root; ///< the part of the file system that is mounted
    std::string type;
    std::string options;            ///< of the mount
    std::string filesystem_options; ///< of what is mounted
    std::string propagation;
    bool id_mapped = false;
};

std::string text_of(const char *text) {
    return text != nullptr ? text : "";
}

bool has_word(std::string_view list, std::string_view word) {
    return std::ranges::contains(split(list, ','), word);
}

Mount mount_of(libmnt_fs *fs) {
    Mount mount{.id = ::mnt_fs_get_id(fs),
                .parent = ::mnt_fs_get_parent_id(fs),
                .target = text_of(::mnt_fs_get_target(fs)),
                .source = text_of(::mnt_fs_get_source(fs)),
                .root = text_of(::mnt_fs_get_root(fs)),
                .type = text_of(::mnt_fs_get_fstype(fs)),
                .options = text_of(::mnt_fs_get_vfs_options(fs)),
                .filesystem_options = text_of(::mnt_fs_get_fs_options(fs)),
                .propagation = std::string(trim(text_of(::mnt_fs_get_optional_fields(fs))))};
    if (mount.propagation.empty())
        mount.propagation = "private";
    mount.id_mapped = has_word(mount.options, "idmapped");
    return mount;
}

std::vector<Mount> mounts_of(const Subject &subject) {
    const std::string path = berth::format("/proc/{}/mountinfo", subject.pid);
    const std::unique_ptr<libmnt_table, decltype(&::mnt_unref_table)> table(::mnt_new_table(),
                                                                            ::mnt_unref_table);
    const std::unique_ptr<libmnt_iter, decltype(&::mnt_free_iter)> at(::mnt_new_iter(MNT_ITER_FORWARD),
                                                                      ::mnt_free_iter);
    if (!table || !at)
        fail_code(ENOMEM, "reading {}", path);
    if (const int r = ::mnt_table_parse_file(table.get(), path.c_str()); r != 0)
        fail_code(r < 0 ? -r : EIO, "reading {}", path);
    std::vector<Mount> mounts;
    for (libmnt_fs *fs = nullptr; ::mnt_table_next_fs(table.get(), at.get(), &fs) == 0;)
        mounts.push_back(mount_of(fs));
    return mounts;
}

/// A mount and how far in it is; `prefix` draws the branches that lead to it.
struct Placed {
    const Mount *mount;
    std::string prefix;
};

/// All mounts, parents before children. Without recursion: the depth is the machine's choice.
std::vector<Placed> as_tree(const std::vector<Mount> &mounts) {
    std::set<int> known;
    for (const Mount &mount : mounts)
        known.insert(mount.id);
    std::unordered_map<int, std::vector<const Mount *>> children;
    for (const Mount &mount : mounts) // what hangs on nothing that is in sight is a root
        children[known.contains(mount.parent) && mount.parent != mount.id ? mount.parent : -1].push_back(
            &mount);

    struct Waiting {
        const Mount *mount;
        std::string indent; ///< of its parent's children
        std::size_t depth;
        bool last;
    };
    std::vector<Waiting> stack;
    const auto push_children = [&](int id, const std::string &indent, std::size_t depth) {
        const auto &all = children[id];
        for (auto child = all.rbegin(); child != all.rend(); ++child)
            stack.push_back({*child, indent, depth, child == all.rbegin()});
    };
    std::vector<Placed> placed;
    push_children(-1, "", 0);
    while (!stack.empty()) {
        const Waiting next = std::move(stack.back());
        stack.pop_back();
        const std::string branch = next.depth == 0 ? "" : next.last ? "└─" : "├─";
        placed.push_back({next.mount, next.indent + branch});
        const std::string below = next.depth == 0 ? "" : next.last ? "  " : "│ ";
        push_children(next.mount->id, next.depth < max_depth ? next.indent + below : next.indent,
                      next.depth + 1);
    }
    return placed;
}

/// What is mounted: the source, and the part of it that is not all.
std::string source_text(const Mount &mount) {
    return mount.root.empty() || mount.root == "/" ? mount.source
                                                   : berth::format("{}[{}]", mount.source, mount.root);
}

/// The options of both, without an overlay's layers, which have lines of their own. It is read-only
/// when either is.
std::string options_text(const Mount &mount) {
    std::string text = mount.options;
    if (has_word(mount.filesystem_options, "ro") && text.starts_with("rw"))
        text.replace(0, 2, "ro");
    for (const std::string &option : split(mount.filesystem_options, ',')) {
        const bool layer = mount.type == "overlay"
                           && (option.starts_with("lowerdir") || option.starts_with("upperdir=")
                               || option.starts_with("workdir="));
        if (!option.empty() && option != "rw" && !layer && !has_word(text, option))
            text += "," + option;
    }
    return text;
}

Json json_of(const Mount &mount) {
    return {{"id", mount.id},
            {"parent", mount.parent},
            {"target", mount.target},
            {"source", mount.source},
            {"root", mount.root},
            {"type", mount.type},
            {"options", mount.options},
            {"filesystem_options", mount.filesystem_options},
            {"propagation", mount.propagation},
            {"id_mapped", mount.id_mapped}};
}

void add_layers(Report &report, const Subject &subject) {
    const RootMount root = root_mount_of(subject.pid);
    if (root.type != "overlay")
        return;
    std::vector<std::vector<std::string>> rows;
    if (!root.upper.empty())
        rows.push_back({"upper", root.upper});
    for (const std::string &lower : root.lowers)
        rows.push_back({"lower", lower});
    report.text += "layers of /, uppermost first:\n" + indented(aligned(rows), "  ");
    report.json["layers"] = {{"upper", root.upper.empty() ? Json(nullptr) : Json(root.upper)},
                             {"lower", root.lowers}};
}

} // namespace

Report inspect_mounts(const Subject &subject) {
    Report report;
    const std::vector<Mount> mounts = mounts_of(subject);
    std::vector<std::vector<std::string>> rows{{"TARGET", "SOURCE", "TYPE", "PROPAGATION", "OPTIONS"}};
    auto tree = Json::array();
    for (const Placed &placed : as_tree(mounts)) {
        const Mount &mount = *placed.mount;
        rows.push_back({placed.prefix + mount.target, source_text(mount), mount.type, mount.propagation,
                        options_text(mount)});
        tree.push_back(json_of(mount));
    }
    report.text = aligned(rows);
    report.json["tree"] = std::move(tree);
    add_layers(report, subject);
    return report;
}

} // namespace berth::cli
