// SPDX-License-Identifier: LGPL-2.1-or-later
// Options of `berth run` in tables: what is given, and what then holds inside.
#pragma once

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "support/host_test.hpp"
#include "support/process.hpp"
#include "support/trees.hpp"

namespace berth::test {

/// "{tree}" and "{dir}" in its words stand for the two folders of OptionTest.
struct OptionRow {
    const char *name;    ///< of the test
    Words options;       ///< for `berth run`
    std::string line;    ///< what a shell runs inside
    std::string out;     ///< all that it prints, errors too, without the last newline
    std::string refused; ///< instead, a part of the error that keeps the machine from being made
};

std::ostream &operator<<(std::ostream &out, const OptionRow &row);

class OptionTest : public HostTest {
protected:
    /// The words of `berth run` on the tree.
    [[nodiscard]] Words words(const Words &options, const Words &command) const;
    /// Runs a shell's line in a machine; `2>&1` is part of it.
    [[nodiscard]] Outcome try_inside(const Words &options, const std::string &line) const;
    /// As try_inside(); the line must succeed. Returns what it printed, without the last newline.
    std::string inside(const Words &options, const std::string &line) const;
    void check(const OptionRow &row) const;
    /// Gives the row to systemd-nspawn, for which the same must hold, unless `differs` says why
    /// not, and then it must not. An option that it does not know is no difference.
    void check_beside_peer(const OptionRow &row, std::string_view differs) const;
    [[nodiscard]] std::string expanded(std::string text) const;

    SmallTree tree;
    Folder dir;
};

class OptionRows : public OptionTest, public testing::WithParamInterface<OptionRow> {};

/// For INSTANTIATE_TEST_SUITE_P.
[[nodiscard]] std::string name_of_row(const testing::TestParamInfo<OptionRow> &info);

/// A file of the host's with content of the test's; at the end what was there before is back.
class HostFile {
public:
    /// Without content the file is taken away.
    HostFile(std::filesystem::path path, const std::optional<std::string> &content);
    HostFile(const HostFile &) = delete;
    HostFile &operator=(const HostFile &) = delete;
    ~HostFile();

private:
    std::filesystem::path path_;
    std::filesystem::path kept_; ///< where the former file waits; empty when there was none
};

/// Something mounted on a folder for as long as it lives.
class Mounted {
public:
    Mounted(const std::string &type, std::filesystem::path place, const std::string &options);
    Mounted(const Mounted &) = delete;
    Mounted &operator=(const Mounted &) = delete;
    ~Mounted();

    [[nodiscard]] const std::filesystem::path &path() const { return place_; }

private:
    std::filesystem::path place_;
};

/// "UID:GID MODE" of a path, links not followed.
[[nodiscard]] std::string owner_of(const std::filesystem::path &path);

/// The field `key` of /proc/PID/status.
[[nodiscard]] std::string status_field(pid_t pid, const std::string &key);

} // namespace berth::test
