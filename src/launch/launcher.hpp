// SPDX-License-Identifier: LGPL-2.1-or-later
// The host's side of a machine's life: makes it, registers it, watches it, makes it anew when it
// reboots.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <string>

#include "kernel/id_maps.hpp"
#include "kernel/namespaces.hpp"
#include "kernel/protocol.hpp"
#include "launch/id_range.hpp"
#include "launch/inner.hpp"
#include "launch/machine_network.hpp"
#include "launch/supervisor.hpp"
#include "launch/timing.hpp"
#include "plan/plan.hpp"
#include "root/image.hpp"
#include "root/root.hpp"
#include "root/scratch.hpp"
#include "root/tree.hpp"
#include "root/unix_export.hpp"
#include "root/work_folder.hpp"
#include "seccomp/program.hpp"

namespace berth {

class Launcher {
public:
    /// Takes the locks on the trees, picks the users, and makes what is to outlast reboots.
    Launcher(LaunchPlan plan, Timing timing);

    /// Runs the machine to its end. Returns the exit status for our own caller: that of the
    /// command, 0 after a power-off, 128+n when signal n killed PID 1.
    int run();

private:
    /// A mount namespace of our own, for mounts that outlast reboots or are not the machine's.
    void leave_host_mounts();
    void export_sockets();
    /// The mounts of the disk image, if it is one, with its lock taken; the root's first.
    std::vector<image::Mount> open_image();
    /// `root` is what the tree or the image has as "/".
    void settle_users(const struct stat &root);
    void give_files_to_users();
    void load_filter();
    /// Mounts what is in the image where it outlasts reboots.
    void attach_image(const std::vector<image::Mount> &parts);
    void make_work_folders();
    struct Running {
        std::unique_ptr<MachineNetwork> network; ///< empty when it is shared
        supervisor::Machine machine;
    };
    /// Makes the machine, in the control group behind `payload`, or in its scope when negative.
    Running start(int payload);
    namespaces::Child fork_inner(int payload, inner::Orders orders, unique_fd &ours, unique_fd &theirs);
    void map_users(const namespaces::Child &child, tree::Assembled &assembled, int socket) const;
    void register_machine(int leader, const Running &running, int socket) const;
    tree::Assembled descriptors_of(protocol::Message &mounted) const;
    void enter_scope(pid_t leader) const;
    void say(const std::string &text) const;

    LaunchPlan plan_;
    bool nested_ = api_mounts::are_covered(); ///< we are in a machine ourselves
    Timing timing_;
    UnixExport exported_;
    std::unique_ptr<IdRange> range_; ///< a picked one
    IdMaps ids_;
    Scratch scratch_;
    std::vector<unique_fd> layers_;
    std::vector<LockFile> locks_; ///< of the trees or the image
    /// What is mounted of a disk image: it goes before the locks do.
    struct Image {
        Image() = default;
        Image(const Image &) = delete;
        Image &operator=(const Image &) = delete;
        ~Image();
        std::vector<root::Partition> parts;
    };
    Image image_;
    unique_fd upper_; ///< its folder, locked where it is on disk
    std::vector<WorkFolder> work_folders_;
    std::vector<namespaces::Target> joined_; ///< of others, to be born into
    seccomp::Programs filter_;
};

} // namespace berth
