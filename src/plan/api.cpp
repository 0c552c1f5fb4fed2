// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/api.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.hpp"
#include "plan/parts.hpp"

namespace berth::plan_parts {

namespace {

constexpr unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;
constexpr unsigned plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME;
constexpr const char *by_default = "default";

/// The group tty of all distributions, which systemd expects of devpts.
constexpr const char *tty_group = "5";

class Maker {
public:
    explicit Maker(const LaunchPlan &plan) : plan_(plan) {}

    ApiPlan make() {
        own_filesystems();
        kernel_filesystems();
        keep_readable();
        hide();
        devices();
        made_.propagation = MS_SHARED | MS_REC; // a booting systemd expects it
        return std::move(made_);
    }

private:
    void tmpfs(const char *path, const char *mode, std::vector<std::pair<std::string, std::string>> size,
               unsigned attributes) {
        std::vector<std::pair<std::string, std::string>> options{
            {"source", "tmpfs"}, {"mode", mode}, {"uid", "0"}, {"gid", "0"}};
        options.insert(options.end(), size.begin(), size.end());
        if (!plan_.selinux_apifs_context.empty())
            options.emplace_back("context", plan_.selinux_apifs_context);
        made_.filesystems.push_back({"tmpfs", path, std::move(options), attributes, by_default});
    }

    void own_filesystems() {
        tmpfs("/run", "0755", {{"size", "20%"}, {"nr_inodes", "800k"}}, plain);
        if (plan_.temporary_tmp)
            tmpfs("/tmp", "01777", {{"size", "10%"}, {"nr_inodes", "1m"}}, plain);
        tmpfs("/dev", "0755", {{"size", "4m"}, {"nr_inodes", "64k"}},
              MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
        made_.filesystems.push_back({"devpts",
                                     "/dev/pts",
                                     {{"source", "devpts"},
                                      {"newinstance", ""},
                                      {"ptmxmode", "0666"},
                                      {"mode", "620"},
                                      {"gid", tty_group}},
                                     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                                     by_default});
        tmpfs("/dev/shm", "01777", {{"size", "10%"}}, plain);
        made_.filesystems.push_back({"tmpfs",
                                     "/run/host",
                                     {{"source", "tmpfs"},
                                      {"mode", "0755"},
                                      {"size", "4m"},
                                      {"nr_inodes", "1k"},
                                      {"uid", "0"},
                                      {"gid", "0"}},
                                     quiet,
                                     by_default});
    }

    void kernel_filesystems() {
        const bool writable = plan_.api_writable == ApiWritable::yes;
        const auto add = [&](const char *type, const char *path, unsigned attributes, const char *source) {
            made_.filesystems.push_back({type, path, {{"source", source}}, attributes, by_default});
        };
        add("proc", "/proc", quiet, "proc");
        add("sysfs", "/sys", writable ? quiet : quiet | MOUNT_ATTR_RDONLY, "sysfs");
        add("mqueue", "/dev/mqueue", quiet, "mqueue");
        add("cgroup2", "/sys/fs/cgroup", quiet, "cgroup");
    }

    void cover(CoverPlan::Kind kind, const char *path, std::string text = {}, bool of_host_root = false) {
        made_.covers.push_back({kind, path, std::move(text), of_host_root, by_default});
    }

    /// What reaches beyond the machine.
    void keep_readable() {
        using Kind = CoverPlan::Kind;
        if (plan_.api_writable == ApiWritable::yes)
            return;
        cover(Kind::read_only, "/proc/sys");
        if (plan_.private_network() || plan_.api_writable == ApiWritable::network)
            cover(Kind::writable, "/proc/sys/net"); // the machine's own
        for (const char *path : {"/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq",
                                 "/proc/scsi"})
            cover(Kind::read_only, path);
    }

    void hide() {
        using Kind = CoverPlan::Kind;
        for (const char *path :
             {"/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/proc/timer_list"})
            cover(Kind::inaccessible, path); // they would tell of the host
        cover(Kind::fifo, "/proc/kmsg");
        cover(Kind::text, boot_id_path, uuid_of(plan_.boot_id) + "\n");
        // What only root of the host may read.
        for (const char *path :
             {"/proc/driver", "/proc/dynamic_debug", "/proc/kpagecgroup", "/proc/kpagecount",
              "/proc/kpageflags", "/proc/latency_stats", "/proc/pagetypeinfo", "/proc/sched_debug",
              "/proc/slabinfo", "/proc/vmallocinfo", "/sys/firmware", "/sys/devices/virtual/powercap"})
            cover(Kind::inaccessible, path, {}, true);
    }

    void devices() {
        const auto node = [&](const char *path, unsigned major, unsigned minor) {
            made_.devices.push_back({path, S_IFCHR | 0666, major, minor, by_default});
        };
        // Documentation/admin-guide/devices.txt
        node("/dev/null", 1, 3);
        node("/dev/zero", 1, 5);
        node("/dev/full", 1, 7);
        node("/dev/random", 1, 8);
        node("/dev/urandom", 1, 9);
        node("/dev/tty", 5, 0);
        if (::access("/dev/fuse", F_OK) == 0)
            node("/dev/fuse", 10, 229);
        node("/dev/net/tun", 10, 200);
        made_.links = {{"/dev/fd", "/proc/self/fd"},
                       {"/dev/stdin", "/proc/self/fd/0"},
                       {"/dev/stdout", "/proc/self/fd/1"},
                       {"/dev/stderr", "/proc/self/fd/2"},
                       {"/dev/ptmx", "pts/ptmx"}};
    }

    const LaunchPlan &plan_;
    ApiPlan made_;
};

} // namespace

ApiPlan api(const LaunchPlan &plan) {
    return Maker(plan).make();
}

} // namespace berth::plan_parts
