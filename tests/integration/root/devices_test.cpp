// SPDX-License-Identifier: LGPL-2.1-or-later
// Devices: those that are bound in can be used, and others not even when nodes of them are made.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"

using namespace berth::test;
using testing::Contains;
using testing::Not;
using testing::StartsWith;
namespace fs = std::filesystem;

namespace {

/// A device of the host's that anybody may use, and that machines do not have by themselves: the one
/// loop devices are asked of.
class HostDevice {
public:
    HostDevice() {
        if (::mknod(path, S_IFCHR, ::makedev(10, 237)) < 0)
            berth::fail_errno("making {}", path);
        fs::permissions(path, fs::perms{0666});
    }
    HostDevice(const HostDevice &) = delete;
    HostDevice &operator=(const HostDevice &) = delete;
    ~HostDevice() { fs::remove(path); }

    static constexpr const char *path = "/dev/berth-test-device";
};

class Devices : public OptionTest {
protected:
    HostDevice device;
};

std::vector<std::string> allowed_devices(const std::string &unit) {
    std::vector<std::string> all;
    for (const std::string &line :
         berth::split(succeed({"systemctl", "show", "--property=DeviceAllow", unit}), '\n'))
        all.push_back(line.substr(line.find('=') + 1));
    return all;
}

} // namespace

// What the scope says is what the kernel enforces, with a BPF program that systemd attaches: it does on
// this host.
TEST_F(Devices, BoundOnesCanBeUsed) {
    struct Row {
        Words options;
        std::string access; ///< as systemd has it
        std::string opened; ///< what can be done inside
    };
    const std::string bind = std::string("=") + HostDevice::path + ":/dev/bound";
    for (const Row &row :
         {Row{{"--bind" + bind}, "rw", "read write "}, Row{{"--bind-ro" + bind}, "r", "read "},
          Row{{"-U", "--bind" + bind}, "rw", "read write "}, Row{{"-U", "--bind-ro" + bind}, "r", "read "}}) {
        SCOPED_TRACE(testing::PrintToString(row.options));
        Words options{"-D", tree.path(), "-x"};
        options.insert(options.end(), row.options.begin(), row.options.end());
        const Machine machine("options-devices", options);
        EXPECT_EQ(unit_property(machine.property("Unit"), "DevicePolicy"), "closed");
        EXPECT_THAT(allowed_devices(machine.property("Unit")),
                    Contains(std::string(HostDevice::path) + " " + row.access));
        EXPECT_EQ(machine.exec({"sh", "-c",
                                "(: < /dev/bound) 2>/dev/null && echo -n 'read ';"
                                "(: > /dev/bound) 2>/dev/null && echo -n 'write '; true"}),
                  row.opened);
    }
}

TEST_F(Devices, OthersCannotBeMade) {
    const Machine machine("options-devices", {"-D", tree.path(), "-x"});
    EXPECT_THAT(allowed_devices(machine.property("Unit")), Not(Contains(StartsWith(HostDevice::path))));
    const auto make = [&](const char *name, const char *major, const char *minor) {
        return machine.try_exec({"mknod", name, "c", major, minor});
    };
    EXPECT_EQ(make("/dev/other", "10", "237").err, "mknod: /dev/other: Operation not permitted\n");
    EXPECT_EQ(make("/dev/zero-too", "1", "5").err, "");
    EXPECT_EQ(machine.exec({"sh", "-c", "head -c 4 /dev/zero-too | wc -c"}), "4");
}

TEST_F(Devices, NodeThatIsInTheTreeCannotBeOpened) {
    const Mounted filesystem("tmpfs", dir / "fs", ""); // devices of /tmp cannot be opened by anybody
    succeed({"cp", "-a", tree.path().native() + "/.", filesystem.path()});
    const fs::path node = filesystem.path() / "etc/node";
    ASSERT_EQ(::mknod(node.c_str(), S_IFCHR | 0666, ::makedev(10, 237)), 0);
    succeed({"sh", "-c", "exec 3< \"$1\"", "sh", node});
    const Outcome outcome = run(
        run_words("options-devices", {"-D", filesystem.path(), "--pipe"}, {"sh", "-c", "exec 3< /etc/node"}));
    EXPECT_THAT(outcome.err, testing::HasSubstr("can't open /etc/node: Operation not permitted"));
}
