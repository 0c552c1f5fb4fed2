// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berthd/state_folder.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/env_file.hpp"
#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "berthd/log.hpp"
#include "systemd/process.hpp"

namespace berth {

namespace {

namespace fs = std::filesystem;

constexpr mode_t readable_by_all = 0644;

/// A field of a file in the shared folder; somebody else may have written it.
std::string field(const std::map<std::string, std::string> &fields, const std::string &key) {
    const auto found = fields.find(key);
    return found != fields.end() ? found->second : "";
}

/// The leader in a file of the shared folder, or 0.
pid_t leader_in(const fs::path &file) {
    const auto text = read_file_if_there(file);
    return text ? static_cast<pid_t>(parse_unsigned(field(parse_env_file(*text), "LEADER")).value_or(0)) : 0;
}

/// True when a file of the shared folder tells of a machine that lives.
bool lives(const fs::path &file) {
    const auto text = read_file_if_there(file);
    if (!text)
        return false;
    const auto fields = parse_env_file(*text);
    const auto pid = parse_unsigned(field(fields, "LEADER"));
    return pid
           && process::open_leader({.pid = static_cast<pid_t>(*pid),
                                    .id = parse_unsigned(field(fields, "LEADER_PIDFDID")).value_or(0),
                                    .unit = field(fields, "SCOPE")});
}

void replace_symlink(const fs::path &link, const std::string &target) {
    const std::string &text = link.native();
    if (::symlink(target.c_str(), text.c_str()) == 0)
        return;
    if (errno != EEXIST || ::unlink(text.c_str()) < 0 || ::symlink(target.c_str(), text.c_str()) < 0)
        fail_errno("creating the symlink {}", text);
}

std::optional<std::string> symlink_target(const fs::path &link) {
    std::error_code error;
    const fs::path target = fs::read_symlink(link, error);
    return error ? std::nullopt : std::optional(target.native());
}

fs::path unit_link(const fs::path &folder, const std::string &unit) {
    return folder / ("unit:" + unit);
}

void unlink_if_there(const fs::path &file) {
    if (::unlink(file.c_str()) < 0 && errno != ENOENT)
        log::warning("removing {}: {}", file.native(), errno_text(errno));
}

} // namespace

StateFolder::StateFolder(fs::path own, fs::path shared) : own_(std::move(own)), shared_(std::move(shared)) {
    fs::create_directories(own_);
    fs::create_directories(shared_);
}

void StateFolder::save(const Record &record) const {
    write_file_atomic(own_ / record.name, private_text(record), readable_by_all);
    write_file_atomic(shared_ / record.name, public_text(record), readable_by_all);
    replace_symlink(unit_link(shared_, record.unit), record.name);
}

void StateFolder::remove(const Record &record) const {
    try {
        if (leader_in(shared_ / record.name) == record.leader) {
            if (const fs::path link = unit_link(shared_, record.unit); symlink_target(link) == record.name)
                unlink_if_there(link);
            unlink_if_there(shared_ / record.name);
        }
    } catch (const Error &error) {
        log::warning("removing machine \"{}\" from {}: {}", record.name, shared_.native(), error.what());
    }
    unlink_if_there(own_ / record.name);
}

std::vector<Record> StateFolder::load() const {
    std::vector<Record> records;
    for (const fs::directory_entry &entry : fs::directory_iterator(own_)) {
        const fs::path &file = entry.path();
        if (file.filename().native().starts_with('.')) { // the beginning of a file that we were killed over
            unlink_if_there(file);
            continue;
        }
        try {
            Record record = parse_record(read_file(file), file.native());
            if (record.name != file.filename())
                fail("{}: it tells of another machine, \"{}\"", file.native(), record.name);
            records.push_back(std::move(record));
        } catch (const Error &error) {
            log::warning("{}; passing over that machine", error.what());
        }
    }
    // Oldest first, as they came.
    std::ranges::sort(records, {}, &Record::monotonic);
    return records;
}

bool StateFolder::taken_elsewhere(const std::string &name, const std::string &unit) const {
    try {
        if (lives(shared_ / name))
            return true;
        const auto holder = symlink_target(unit_link(shared_, unit));
        return holder && lives(shared_ / *holder);
    } catch (const Error &error) { // must not keep machines from starting
        log::warning("looking for machine \"{}\" in {}: {}", name, shared_.native(), error.what());
        return false;
    }
}

} // namespace berth
