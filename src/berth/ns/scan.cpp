// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/ns/scan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <libmount.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "berth/ns/hold.hpp"

namespace berth::ns {

namespace {

namespace fs = std::filesystem;

/// "net:[4026531840]", as the kernel names namespaces in links and mounts. A path to a file begins
/// with a slash or a bracket, so that no file can pass for one.
std::optional<Key> parse_key(std::string_view text) {
    const auto at = text.find(":[");
    if (at == std::string_view::npos || !text.ends_with(']'))
        return std::nullopt;
    const Kind *kind = find_kind(text.substr(0, at));
    const auto inode = parse_unsigned(text.substr(at + 2, text.size() - at - 3));
    return kind == nullptr || !inode ? std::nullopt : std::optional(Key{kind, *inode});
}

std::optional<Key> key_at(const fs::path &link) {
    std::error_code gone;
    return parse_key(fs::read_symlink(link, gone).native());
}

/// Numbers among the entries of a directory in /proc, which may go at any time.
std::vector<pid_t> numbers_in(const fs::path &directory) {
    std::vector<pid_t> numbers;
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
        if (const auto number = parse_unsigned(at->path().filename().native()))
            numbers.push_back(static_cast<pid_t>(*number));
    return numbers;
}

class Scan {
public:
    Namespaces run() {
        for (const pid_t pid : numbers_in("/proc"))
            add_process(pid);
        add_own_mounts();
        for (const pid_t pid : one_in_each_mount_namespace())
            add_mounts(pid, berth::format(" in the mount namespace of process {}", pid));
        add_relations();
        return std::move(found_);
    }

private:
    void add_process(pid_t pid) {
        const fs::path process = berth::format("/proc/{}", pid);
        const std::vector<pid_t> threads = numbers_in(process / "task");
        for (const pid_t thread : threads)
            for (const Kind &kind : kinds())
                if (const auto key = key_at(process / "task" / std::to_string(thread) / "ns" / kind.name))
                    found_[*key].processes.insert(pid);
        for (const char *name : {"pid_for_children", "time_for_children"})
            if (const auto key = key_at(process / "ns" / name); key && !found_[*key].processes.contains(pid))
                found_[*key].for_children.insert(pid);
        if (pid == ::getpid())
            return; // what we have open we have for looking
        for (const pid_t fd : numbers_in(process / "fd"))
            if (const auto key = key_at(process / "fd" / std::to_string(fd)))
                found_[*key].descriptors.insert(pid);
    }

    static std::vector<std::pair<Key, std::string>> mounts_of(const std::string &mountinfo) {
        const std::unique_ptr<libmnt_table, decltype(&::mnt_unref_table)> table(::mnt_new_table(),
                                                                                ::mnt_unref_table);
        const std::unique_ptr<libmnt_iter, decltype(&::mnt_free_iter)> at(::mnt_new_iter(MNT_ITER_FORWARD),
                                                                          ::mnt_free_iter);
        if (!table || !at)
            fail_code(ENOMEM, "reading {}", mountinfo);
        std::vector<std::pair<Key, std::string>> found;
        if (::mnt_table_parse_file(table.get(), mountinfo.c_str()) != 0)
            return found; // the process has ended
        for (libmnt_fs *fs = nullptr; ::mnt_table_next_fs(table.get(), at.get(), &fs) == 0;) {
            const char *type = ::mnt_fs_get_fstype(fs);
            const char *root = ::mnt_fs_get_root(fs);
            const char *target = ::mnt_fs_get_target(fs);
            if (type == nullptr || root == nullptr || target == nullptr || std::string_view(type) != "nsfs")
                continue;
            if (const auto key = parse_key(root))
                found.emplace_back(*key, target);
        }
        return found;
    }

    void add_own_mounts() {
        const fs::path names = held_directory;
        for (const auto &[key, target] : mounts_of("/proc/self/mountinfo")) {
            const fs::path path = target;
            const std::string name = path.parent_path().filename();
            const bool is_name = path.parent_path().parent_path() == names && !name.starts_with('.');
            std::vector<std::string> &list = is_name ? found_[key].names : found_[key].mounts;
            const std::string &word = is_name ? name : target;
            if (!std::ranges::contains(list, word))
                list.push_back(word);
            files_[key] = target;
            own_mounts_.emplace(key, target);
        }
    }

    /// Mounts that spread from ours to others are told once.
    void add_mounts(pid_t pid, const std::string &where) {
        for (const auto &[key, target] : mounts_of(berth::format("/proc/{}/mountinfo", pid))) {
            std::vector<std::string> &mounts = found_[key].mounts;
            if (!own_mounts_.contains({key, target}))
                mounts.push_back(target + where);
        }
    }

    [[nodiscard]] std::vector<pid_t> one_in_each_mount_namespace() const {
        const auto own = id_of(::getpid(), *find_kind("mnt"));
        std::vector<pid_t> pids;
        for (const auto &[key, one] : found_)
            if (key.first->name == "mnt" && !one.processes.empty() && (!own || key.second != own->inode))
                pids.push_back(*one.processes.begin());
        return pids;
    }

    /// A descriptor of a namespace that has a process or a mount by which to reach it.
    unique_fd reach(const Key &key, const Namespace &one) const {
        const auto mounted = files_.find(key);
        const std::string path =
            !one.processes.empty() ? berth::format("/proc/{}/ns/{}", *one.processes.begin(), key.first->name)
            : mounted != files_.end() ? mounted->second
                                      : std::string();
        unique_fd fd(path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (fd && (kind_of(fd.get()) != key.first || id_of(fd.get()).inode != key.second))
            fd.reset(); // it is another one's by now
        return fd;
    }

    /// Up from each to its owner and parent, some of which nothing else may keep alive.
    void add_relations() {
        std::vector<std::pair<Key, unique_fd>> waiting;
        for (const auto &[key, one] : found_)
            if (unique_fd fd = reach(key, one); fd)
                waiting.emplace_back(key, std::move(fd));
        std::set<Key> done;
        while (!waiting.empty()) {
            const auto [key, fd] = std::move(waiting.back());
            waiting.pop_back();
            if (!done.insert(key).second)
                continue;
            const bool nests = key.first->name == "user" || key.first->name == "pid";
            std::array<unique_fd, 2> relatives{owner_of(fd.get()), nests ? parent_of(fd.get()) : unique_fd()};
            for (unique_fd &above : relatives) {
                const Kind *kind = above ? kind_of(above.get()) : nullptr;
                if (kind == nullptr)
                    continue;
                const Key upper{kind, id_of(above.get()).inode};
                found_[upper].namespaces.insert(key.second);
                waiting.emplace_back(upper, std::move(above));
            }
        }
    }

    Namespaces found_;
    std::set<std::pair<Key, std::string>> own_mounts_; ///< in our own mount namespace
    std::map<Key, std::string> files_;                 ///< one of these for each
};

} // namespace

Namespaces scan() {
    return Scan().run();
}

} // namespace berth::ns
