// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/options.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "support/machine.hpp"

namespace berth::test {

namespace fs = std::filesystem;

namespace {

void replace_all(std::string &text, std::string_view what, const std::string &with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
}

} // namespace

std::ostream &operator<<(std::ostream &out, const OptionRow &row) {
    return out << row.name;
}

std::string name_of_row(const testing::TestParamInfo<OptionRow> &info) {
    return info.param.name;
}

std::string OptionTest::expanded(std::string text) const {
    replace_all(text, "{tree}", tree.path().native());
    replace_all(text, "{dir}", dir.path().native());
    return text;
}

Words OptionTest::words(const Words &options, const Words &command) const {
    Words all{"--directory=" + tree.path().native(), "--pipe"};
    for (const std::string &option : options)
        all.push_back(expanded(option));
    return run_words("options", all, command);
}

Outcome OptionTest::try_inside(const Words &options, const std::string &line) const {
    return run(words(options, {"sh", "-c", "exec 2>&1; " + expanded(line)}));
}

std::string OptionTest::inside(const Words &options, const std::string &line) const {
    return succeed(words(options, {"sh", "-ec", "exec 2>&1; " + expanded(line)}));
}

void OptionTest::check(const OptionRow &row) const {
    const Outcome outcome = try_inside(row.options, row.line);
    if (!row.refused.empty()) {
        EXPECT_EQ(outcome.status, 1) << outcome.out;
        EXPECT_THAT(outcome.err, testing::HasSubstr(expanded(row.refused)));
        return;
    }
    std::string_view out = outcome.out;
    if (out.ends_with('\n'))
        out.remove_suffix(1);
    EXPECT_EQ(out, expanded(row.out)) << outcome.err;
    EXPECT_EQ(outcome.err, "");
}

void OptionTest::check_beside_peer(const OptionRow &row, std::string_view differs) const {
    Words words{"systemd-nspawn",    "--quiet", "--register=no",
                "--machine=options", "--pipe",  "--directory=" + tree.path().native()};
    for (const std::string &option : row.options)
        words.push_back(expanded(option));
    words.insert(words.end(), {"sh", "-c", "exec 2>&1; " + expanded(row.line)});
    const Outcome outcome = run(words);
    if (outcome.err.contains("unrecognized option"))
        return;
    const bool same = row.refused.empty() ? outcome.out == (row.out.empty() ? "" : expanded(row.out) + "\n")
                                          : outcome.status != 0 && outcome.out.empty();
    EXPECT_EQ(same, differs.empty()) << (same ? "in the table of differences, but the same"
                                              : "systemd-nspawn differs")
                                     << ": status " << outcome.status << ", output: " << outcome.out
                                     << "errors: " << outcome.err;
}

HostFile::HostFile(fs::path path, const std::optional<std::string> &content) : path_(std::move(path)) {
    fs::create_directories(path_.parent_path());
    if (fs::symlink_status(path_).type() != fs::file_type::not_found) {
        kept_ = path_.parent_path() / (".#kept-" + path_.filename().native());
        fs::rename(path_, kept_);
    }
    if (content)
        std::ofstream(path_) << *content;
}

HostFile::~HostFile() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    if (!kept_.empty())
        fs::rename(kept_, path_, ignored);
}

Mounted::Mounted(const std::string &type, fs::path place, const std::string &options)
    : place_(std::move(place)) {
    fs::create_directories(place_);
    if (::mount(type.c_str(), place_.c_str(), type.c_str(), 0, options.c_str()) < 0)
        fail_errno("mounting {} on {}", type, place_.native());
}

Mounted::~Mounted() {
    EXPECT_EQ(::umount2(place_.c_str(), 0), 0) << place_;
}

std::string owner_of(const fs::path &path) {
    struct stat st{};
    if (::lstat(path.c_str(), &st) < 0)
        fail_errno("looking at {}", path.native());
    return berth::format("{}:{} {:o}", st.st_uid, st.st_gid, st.st_mode & 07777U);
}

std::string status_field(pid_t pid, const std::string &key) {
    for (const std::string &line : split(read_file(berth::format("/proc/{}/status", pid)), '\n'))
        if (line.starts_with(key + ":"))
            return std::string(trim(std::string_view(line).substr(key.size() + 1)));
    fail("/proc/{}/status has no {}", pid, key);
}

} // namespace berth::test
