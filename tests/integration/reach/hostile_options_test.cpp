// SPDX-License-Identifier: LGPL-2.1-or-later
// Trees that were made to harm, met by each option that touches the tree: whatever has another
// shape there than it should, the host stays untouched, and the machine either starts or is refused
// in one message.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/format.hpp"
#include "support/images.hpp"
#include "support/machine.hpp"
#include "support/options.hpp"
#include "support/snapshot.hpp"

using namespace berth::test;
using testing::IsEmpty;
using testing::StartsWith;
namespace fs = std::filesystem;

namespace {

enum class Shape : std::uint8_t {
    absolute_link,
    dotted_link,
    dangling_link,
    loop,
    fifo,
    socket,
    file,
    folder,
    device
};

struct NamedShape {
    Shape shape;
    const char *name;
};
constexpr std::array shapes{NamedShape{Shape::absolute_link, "absolute link"},
                            NamedShape{Shape::dotted_link, "link by .."},
                            NamedShape{Shape::dangling_link, "dangling link"},
                            NamedShape{Shape::loop, "loop"},
                            NamedShape{Shape::fifo, "fifo"},
                            NamedShape{Shape::socket, "socket"},
                            NamedShape{Shape::file, "file"},
                            NamedShape{Shape::folder, "folder"},
                            NamedShape{Shape::device, "device"}};

constexpr const char *machine_id = "0123456789abcdef0123456789abcdef";

/// What a hostile tree would reach for: names that options know are in it, too.
class Victim : public Folder {
public:
    Victim() {
        write("secret", "of the host\n");
        for (const char *file : {"resolv.conf", "localtime", "hostname", "machine-id", "passwd", "deep/file"})
            write(file, "of the host\n");
        fs::create_directories(path() / "log/journal" / machine_id);
        succeed({"setfattr", "-n", "user.mark", "-v", "host", (path() / "secret").native()});
        succeed({"chown", "-R", "12:34", (path() / "deep").native()});
    }
};

class HostileTree : public HostTest {
protected:
    HostileTree() {
        layer.write("file", "of a layer\n");
        // Where binds would go and copies would land, were they the host's.
        for (const char *folder : {"/etc", "/mnt", "/srv", "/home", "/opt"})
            watched.emplace_back(folder, snapshot(folder));
        watched.emplace_back(victim.path(), snapshot(victim.path()));
    }

    void put(const fs::path &root, const std::string &name, Shape shape) const {
        const fs::path path = root / name;
        fs::remove_all(path);
        fs::create_directories(path.parent_path());
        switch (shape) {
        case Shape::absolute_link: fs::create_symlink(victim.path(), path); break;
        case Shape::dotted_link:
            fs::create_symlink("../../../../../../../.." + victim.path().native(), path);
            break;
        case Shape::dangling_link: fs::create_symlink(victim / "new", path); break;
        case Shape::loop: fs::create_symlink(path.filename(), path); break;
        case Shape::fifo: ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); break;
        case Shape::socket: ASSERT_EQ(::mknod(path.c_str(), S_IFSOCK | 0600, 0), 0); break;
        case Shape::file: std::ofstream(path) << "in the way"; break;
        case Shape::folder: fs::create_directories(path / "in/the/way"); break;
        case Shape::device: ASSERT_EQ(::mknod(path.c_str(), S_IFCHR | 0600, 0x103), 0); break;
        }
    }

    void expect_untouched(const std::string &what) const {
        for (const auto &[folder, before] : watched)
            EXPECT_THAT(differences(before, snapshot(folder)), IsEmpty()) << what;
    }

    /// What `berth run` has to say when it does not run the machine.
    static void expect_run_or_refused(const Outcome &outcome, const std::string &what) {
        if (outcome.status == 0)
            return;
        EXPECT_EQ(outcome.status, 1) << what << ": " << outcome.err;
        EXPECT_THAT(outcome.err, StartsWith("berth run: ")) << what;
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << what << ": " << outcome.err;
        EXPECT_GT(outcome.err.size(), 20U) << what;
    }

    Victim victim;
    Folder layer;
    std::vector<std::pair<fs::path, Snapshot>> watched;
};

struct Row {
    const char *name;
    Words places; ///< in the tree, each of which gets all shapes
    Words options;
};

std::ostream &operator<<(std::ostream &out, const Row &row) {
    return out << row.name;
}

class HostileOptions : public HostileTree, public testing::WithParamInterface<Row> {
protected:
    [[nodiscard]] Words options(const fs::path &tree) const {
        Words words{"-D", tree, "--console=pipe"};
        for (std::string option : GetParam().options) {
            if (const std::size_t at = option.find("{layer}"); at != std::string::npos)
                option.replace(at, 7, layer.path().native());
            words.push_back(option);
        }
        return words;
    }
};

const std::array rows{
    Row{"OverlayTarget", {"mnt", "mnt/deep"}, {"--overlay={layer}::/mnt/deep"}},
    Row{"OverlayReadOnlyTarget", {"mnt", "mnt/deep"}, {"--overlay-ro={layer}:+/usr:/mnt/deep"}},
    Row{"OverlayLayerInside", {"layer", "mnt"}, {"--overlay=+/layer::/mnt"}},
    Row{"BindInside", {"layer", "mnt"}, {"--bind=+/layer:/mnt"}},
    Row{"BindOwner", {"mnt/deep"}, {"-U", "--bind={layer}:/mnt/deep:owneridmap"}},
    Row{"Inaccessible", {"mnt", "mnt/deep"}, {"--inaccessible=/mnt/deep"}},
    Row{"PivotRoot", {"inner", "inner/usr", "inner/old", "inner/etc"}, {"--pivot-root=/inner:/old"}},
    Row{"VolatileYes", {"usr", "bin", "etc", "var"}, {"--volatile=yes"}},
    Row{"VolatileState", {"var", "etc", "etc/resolv.conf"}, {"--volatile=state"}},
    Row{"VolatileOverlay", {"var", "etc", "etc/resolv.conf"}, {"--volatile=overlay"}},
    Row{"Tmpfs", {"mnt", "mnt/deep"}, {"--tmpfs=/mnt/deep:mode=0700"}},
    Row{"ResolvConfCopy", {"etc", "etc/resolv.conf", "etc/.#resolv.conf.berth"}, {"--resolv-conf=copy-host"}},
    Row{"ResolvConfReplace",
        {"etc", "etc/resolv.conf", "etc/.#resolv.conf.berth"},
        {"--resolv-conf=replace-host"}},
    Row{"ResolvConfBind", {"etc", "etc/resolv.conf"}, {"--resolv-conf=bind-host"}},
    Row{"ResolvConfDelete", {"etc", "etc/resolv.conf"}, {"--resolv-conf=delete"}},
    Row{"TimezoneCopy", {"etc", "etc/localtime", "etc/.#localtime.berth"}, {"--timezone=copy"}},
    Row{"TimezoneBind", {"etc", "etc/localtime"}, {"--timezone=bind"}},
    Row{"TimezoneSymlink", {"etc", "etc/localtime", "usr/share/zoneinfo"}, {"--timezone=symlink"}},
    Row{"TimezoneDelete", {"etc", "etc/localtime"}, {"--timezone=delete"}},
    Row{"LoadCredential", {"run", "run/host", "run/host/credentials"}, {"--load-credential=a:/etc/hostname"}},
    Row{"Journal", {"var", "var/log", "var/log/journal"}, {"--link-journal=try-host"}},
    Row{"Hostname", {"etc/hostname", "etc/hosts"}, {"--hostname=other"}},
    Row{"MachineId", {"etc/machine-id"}, {"--link-journal=auto"}},
    Row{"Users", {"etc/passwd", "etc/group"}, {"--user=nobody"}},
    Row{"WorkingDirectory", {"mnt"}, {"--chdir=/mnt"}},
    Row{"OwnersMapped", {"mnt", "etc/passwd", "var"}, {"-U"}},
    Row{"OwnersChanged",
        {"mnt", "etc/passwd", "var"},
        {"--private-users=655360", "--private-users-ownership=chown"}},
    // The launcher itself assembles the tree of machines with users of their own.
    Row{"OwnUsers", {"etc", "dev", "proc", "run", "sys", "tmp"}, {"-U"}},
    Row{"OwnUsersAndNetwork", {"etc", "dev", "proc", "run", "sys", "tmp"}, {"-U", "--private-network"}},
    Row{"OwnUsersOnLayers", {"etc", "dev", "proc", "run", "sys", "tmp"}, {"-U", "-x"}},
    Row{"OwnUsersReadOnly", {"etc", "dev", "proc", "run", "sys", "tmp"}, {"-U", "--read-only"}},
    Row{"OwnUsersOwnFiles",
        {"etc", "dev", "proc", "run", "sys", "tmp"},
        {"--private-users=655360", "--private-users-ownership=chown"}},
    Row{"Console", {"dev", "dev/console", "dev/pts", "dev/pts/ptmx"}, {"--console=passive"}},
};

TEST_P(HostileOptions, StayInTheTree) {
    const SmallTree clean;
    for (const std::string &place : GetParam().places)
        for (const auto &[shape, shape_name] : shapes) {
            const std::string what = berth::format("{} is a {}", place, shape_name);
            const Folder made;
            const fs::path tree = made / "tree";
            succeed({"cp", "-a", clean.path(), tree});
            if (place.starts_with("inner"))
                succeed({"cp", "-a", clean.path(), tree / "inner"});
            put(tree, place, shape);
            expect_run_or_refused(run(run_words("hostile", options(tree), {"/usr/bin/busybox", "true"})),
                                  what);
            expect_untouched(what);
        }
}
INSTANTIATE_TEST_SUITE_P(Trees, HostileOptions, testing::ValuesIn(rows),
                         [](const auto &row) { return std::string(row.param.name); });

class HostileTrees : public HostileTree {};

} // namespace

TEST_F(HostileTrees, AsATemplate) {
    for (const char *place : {"etc", "etc/resolv.conf", "mnt", "var"})
        for (const auto &[shape, shape_name] : shapes) {
            const SmallTree tree;
            const Folder made;
            put(tree.path(), place, shape);
            const std::string what = berth::format("{} is a {}", place, shape_name);
            const Snapshot before = snapshot(tree.path());
            expect_run_or_refused(
                run(run_words("hostile", {"-D", made / "tree", "--template=" + tree.path().native(), "-P"},
                              {"/usr/bin/busybox", "true"})),
                what);
            EXPECT_THAT(differences(before, snapshot(tree.path())), IsEmpty()) << what;
            expect_untouched(what);
        }
}

TEST_F(HostileTrees, BindIntoARunningMachine) {
    const SmallTree tree;
    const Machine machine("hostile", {"-D", tree.path(), "-x"});
    for (const char *place : {"mnt", "mnt/deep"})
        for (const auto &[shape, shape_name] : shapes) {
            const std::string what = berth::format("{} is a {}", place, shape_name);
            const fs::path root = berth::format("/proc/{}/root", machine.leader());
            fs::remove_all(root / "mnt"); // which may be a link
            put(root, place, shape);
            for (const std::string &source : {layer.path().native(), (layer / "file").native()}) {
                const Outcome outcome = try_berth({"bind", "--mkdir", "hostile", source, "/mnt/deep"});
                if (outcome.status == 0)
                    EXPECT_EQ(try_berth({"unbind", "hostile", "/mnt/deep"}).status, 0) << what;
                else
                    EXPECT_THAT(outcome.err, StartsWith("berth: ")) << what;
            }
            expect_untouched(what);
        }
    EXPECT_EQ(machine.exec({"echo", "alive"}), "alive");
}

TEST_F(HostileTrees, TheHostsLinkToTheJournalDoesNotLeadElsewhere) {
    const bool had = fs::exists("/var/log/journal");
    fs::create_directories("/var/log/journal");
    const fs::path link = fs::path("/var/log/journal") / machine_id;
    for (const char *place :
         {"var", "var/log", "var/log/journal", "var/log/journal/0123456789abcdef0123456789abcdef"})
        for (const auto &[shape, shape_name] : shapes) {
            const std::string what = berth::format("{} is a {}", place, shape_name);
            const SmallTree tree;
            put(tree.path(), place, shape);
            for (const char *mode : {"--link-journal=guest", "--link-journal=try-guest"}) {
                expect_run_or_refused(
                    run(run_words("hostile",
                                  {"-D", tree.path(), "-P", mode, std::string("--uuid=") + machine_id},
                                  {"/usr/bin/busybox", "true"})),
                    what);
                if (fs::is_symlink(link)) {
                    EXPECT_THAT(fs::weakly_canonical(link).native(), StartsWith(tree.path().native()))
                        << what;
                }
                fs::remove(link);
            }
            expect_untouched(what);
        }
    if (!had)
        fs::remove_all("/var/log/journal");
}

TEST_F(HostileTrees, NothingHalfDoneStaysInTheTree) {
    const SmallTree tree;
    for (const char *name : {"etc/resolv.conf", "etc/localtime"})
        put(tree.path(), name, Shape::folder);
    const Snapshot before = snapshot(tree / "etc");
    succeed(run_words("hostile", {"-D", tree.path(), "-P", "--resolv-conf=replace-host", "--timezone=copy"},
                      {"true"}));
    std::vector<std::string> names;
    for (const auto &[name, what] : snapshot(tree / "etc"))
        if (!before.contains(name))
            names.push_back(name);
    EXPECT_THAT(names, IsEmpty());
}

class HostileImages : public ImageTest {};

TEST_F(HostileImages, StayInTheImage) {
    const Victim victim;
    const Snapshot before = snapshot(victim.path());
    const Snapshot etc_before = snapshot("/etc");
    const std::string target = victim.path();
    const std::array<std::pair<const char *, std::function<void(const fs::path &)>>, 4> makers{{
        {"absolute link", [&](const fs::path &path) { fs::create_symlink(target, path); }},
        {"link by ..",
         [&](const fs::path &path) { fs::create_symlink("../../../../../../.." + target, path); }},
        {"fifo", [](const fs::path &path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); }},
        {"device", [](const fs::path &path) { ASSERT_EQ(::mknod(path.c_str(), S_IFCHR | 0600, 0x103), 0); }},
    }};
    for (const char *place : {"etc", "dev", "proc", "sys", "run", "tmp", "var", "home", "boot", "efi", "usr",
                              "etc/machine-id", "etc/os-release", "etc/resolv.conf", "etc/passwd"})
        for (const auto &[shape_name, make] : makers) {
            const std::string what = berth::format("{} is a {}", place, shape_name);
            const SmallTree tree;
            fs::remove_all(tree / place);
            fs::create_directories((tree / place).parent_path());
            make(tree / place);
            Image image(folder_, "disk.img", 64);
            image.table("gpt", part(1, 24, type_root) + part(25, 8, type_home) + part(33, 8, type_esp))
                .ext4(25, 8)
                .vfat(33, 8);
            succeed(
                {"mkfs.ext4", "-q", "-F", "-d", tree.path(), "-E", "offset=1048576", image.path(), "24M"});
            for (const char *mode : {"--ephemeral", "--resolv-conf=replace-host"}) {
                const Outcome outcome =
                    run(run_words("hostile", {"-i", image.path(), mode, "-P", "--timezone=copy"},
                                  {"/usr/bin/busybox", "true"}));
                if (outcome.status != 0) {
                    EXPECT_EQ(outcome.status, 1) << what << ": " << outcome.err;
                    EXPECT_THAT(outcome.err, StartsWith("berth run: ")) << what;
                }
            }
            EXPECT_THAT(differences(before, snapshot(victim.path())), IsEmpty()) << what;
            EXPECT_THAT(differences(etc_before, snapshot("/etc")), IsEmpty()) << what;
            fs::remove_all(image.tree());
        }
}
