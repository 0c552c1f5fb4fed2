// SPDX-License-Identifier: LGPL-2.1-or-later
// What will be done: a MachineConfig with every default settled and every host path resolved.
// Making a plan reads the host but changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/machine_config.hpp"
#include "runtime/capabilities.hpp"

namespace berth {

/// The machine's root.
struct RootPlan {
    enum class Kind : std::uint8_t {
        directory, ///< `layers` holds one tree, which is the root itself
        overlay,   ///< an overlay of `layers` and an upper
    };
    Kind kind = Kind::directory;
    std::vector<std::string> layers; ///< absolute, lowest first
    Upper::Kind upper = Upper::Kind::none;
    std::string upper_directory; ///< holds the folders upper and work; for ephemeral ones, in a tmpfs
    bool read_only = false;

    [[nodiscard]] bool is_overlay() const { return kind == Kind::overlay; }
};

/// One mount into the tree, beyond those every machine has.
struct MountPlan {
    enum class Kind : std::uint8_t { bind, tmpfs };
    Kind kind = Kind::bind;
    std::string source; ///< on the host; for a tmpfs its options
    std::string destination;
    bool read_only = false;
    bool recursive = true;
    Origin origin;
};

/// How the machine is known to systemd and to berthd.
struct UnitPlan {
    bool register_machine = true;
    bool keep_unit = false;
    std::string scope; ///< empty when the unit is kept
    std::string slice;
    std::vector<std::string> properties;
};

struct LaunchPlan {
    std::string name;
    std::string hostname;
    std::string machine_id; ///< 32 hexadecimal digits
    std::string boot_id;    ///< the same, new for every boot
    RootPlan root;
    std::vector<MountPlan> mounts; ///< parents before children
    std::uint64_t namespaces = 0;  ///< CLONE_NEW* flags; the cgroup namespace is entered last
    capabilities::Set bounding = 0;

    ExecMode mode = ExecMode::command;
    std::vector<std::string> command; ///< empty: the tree's init when booting, else a shell
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user; ///< of the tree; empty for root
    std::string working_directory;
    int kill_signal = 0; ///< 0: kill at once
    bool notify_ready = false;
    ConsoleMode console = ConsoleMode::read_only; ///< never automatic or autopipe
    UnitPlan unit;
    bool quiet = false;
};

/// What the plan needs to know of the world around it.
struct HostFacts {
    bool on_terminal = false;         ///< stdin and stdout are terminals
    std::string terminal_type;        ///< $TERM
    std::string working_directory;    ///< ours, for relative paths
    std::string state_directory = "/var/lib/berth";
    std::string runtime_directory = "/run/berth";
    std::vector<std::string> image_directories; ///< where `-M NAME` alone looks for its tree
};

/// The facts of this host and process.
[[nodiscard]] HostFacts host_facts();

/// The tree that `config` names by itself: its directory, or NAME in an image directory.
/// Absolute; empty when the config names none.
[[nodiscard]] std::string tree_of(const MachineConfig &config, const HostFacts &facts);

/// The name the machine gets: the one given, else made from `tree`; with a random end for an
/// ephemeral machine that was given none, as systemd-nspawn does.
[[nodiscard]] std::string name_of(const MachineConfig &config, const std::string &tree);

/// A new random ID of 32 hexadecimal digits.
[[nodiscard]] std::string random_id();

/// Throws Error naming the setting and its origin when something is missing or contradicts.
[[nodiscard]] LaunchPlan make_plan(const MachineConfig &config, const HostFacts &facts);

/// The plan for people, and for programs.
[[nodiscard]] std::string plan_text(const LaunchPlan &plan);
[[nodiscard]] std::string plan_json(const LaunchPlan &plan);

} // namespace berth
