// SPDX-License-Identifier: LGPL-2.1-or-later
// What will be done: a MachineConfig with every default settled and every host path resolved.
// Making a plan reads the host but changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/machine_config.hpp"
#include "kernel/capabilities.hpp"
#include "network/plan.hpp"
#include "plan/api.hpp"

namespace berth {

/// What PID 1 of the machine is (systemd-nspawn(1), "Execution Options").
enum class ExecMode : std::uint8_t {
    command, ///< the command itself
    pid2,    ///< a small init of ours; the command is PID 2
    boot,    ///< the tree's init
};

/// The machine's root.
struct RootPlan {
    enum class Kind : std::uint8_t {
        directory, ///< `layers` holds one tree, which is the root itself
        overlay,   ///< an overlay of `layers` and an upper
    };
    Kind kind = Kind::directory;
    std::vector<std::string> layers;         ///< absolute, lowest first; none for an image
    std::string image;                       ///< a disk image, whose root stands for the one layer; or empty
    std::optional<std::string> image_policy; ///< systemd.image-policy(7), or the standard one
    std::string template_tree;               ///< what layers[0] is made from first, or empty
    Upper::Kind upper = Upper::Kind::none;
    std::string upper_directory; ///< holds the folders upper and work; for ephemeral ones, in a tmpfs
    bool read_only = false;
    bool no_devices = false; ///< nodes in it are worth nothing: the machine's users can have made none
    bool usr_only = false;   ///< --volatile=yes: an empty root with /usr of the above, read-only
    bool check_os = true;    ///< only a tree that has an OS is run
    bool locked = true;      ///< against all others who lock trees
    std::string pivot_new;   ///< --pivot-root=
    std::string pivot_old;
    Origin origin; ///< of the directory or image

    [[nodiscard]] bool is_overlay() const { return kind == Kind::overlay; }
    /// What it is made of, as people know it: the topmost layer, or the image.
    [[nodiscard]] const std::string &tree() const { return layers.empty() ? image : layers.back(); }
};

/// The machine's users as the host sees them.
struct UsersPlan {
    bool enabled = false;  ///< a user namespace of its own
    bool pick = false;     ///< `base` is chosen at the start
    bool of_image = false; ///< it is of the range that the image's root is in
    std::uint32_t base = 0;
    std::uint32_t count = 65536;
    UsersConfig::Ownership ownership = UsersConfig::Ownership::off;
    std::vector<BindUser> bound;            ///< users of the host, each once
    std::optional<std::string> bound_shell; ///< theirs inside; empty: the one each has on the host
};

/// One mount into the tree, beyond those every machine has. Host paths are resolved already.
using MountPlan = MountConfig;

/// What of the kernel's filesystems the machine may write to.
enum class ApiWritable : std::uint8_t {
    no,      ///< what is its own
    network, ///< and the settings of the network, whosever that is
    yes,     ///< all
};

/// What surrounds the process beside namespaces.
struct ProcessPlan {
    std::vector<ResourceLimit> limits;
    std::optional<int> oom_score_adjust;
    std::vector<unsigned> cpu_affinity;
    std::optional<unsigned long> personality;
    capabilities::Set ambient = 0;
    bool no_new_privileges = false;
    std::vector<std::string> system_call_filter;
    bool suppress_sync = false;
    std::string selinux_context;
};

/// A namespace to enter rather than to make; or none.
struct JoinedNamespace {
    std::string path;    ///< of its file, or
    std::string machine; ///< whose leader is in it
    std::string origin;

    [[nodiscard]] bool empty() const { return path.empty() && machine.empty(); }
};

struct JoinPlan {
    JoinedNamespace network;
    JoinedNamespace ipc;
    JoinedNamespace pid;
    JoinedNamespace uts;

    [[nodiscard]] bool any() const {
        return !network.empty() || !ipc.empty() || !pid.empty() || !uts.empty();
    }
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
    /// True when the tree may say otherwise: it is in an image, which is not open yet.
    bool machine_id_of_tree = false;
    std::string boot_id; ///< the same, new for every boot
    RootPlan root;
    UsersPlan users;
    ApiPlan api;
    std::vector<MountPlan> mounts; ///< parents before children
    bool os_is_mounted = false;    ///< they may bring what makes the tree one of an OS
    std::uint64_t namespaces = 0;  ///< CLONE_NEW* flags; the cgroup namespace is entered last
    JoinPlan join;
    network::Plan network; ///< links and ports
    capabilities::Set bounding = 0;
    ProcessPlan process;

    ExecMode mode = ExecMode::command;
    std::vector<std::string> command; ///< empty: the tree's init when booting, else a shell
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user; ///< of the tree; empty for root
    std::string working_directory;
    int kill_signal = 0; ///< 0: kill at once
    NotifyReady notify_ready = NotifyReady::no;
    ConsoleMode console = ConsoleMode::read_only; ///< never automatic or autopipe
    bool errors_apart = false;                    ///< stderr is ours, whatever the console
    std::string background;                       ///< colour for our terminal (SGR), or empty

    ResolvConf resolv_conf = ResolvConf::off; ///< never automatic
    Timezone timezone = Timezone::off;
    LinkJournal link_journal;
    std::vector<Credential> credentials; ///< whose paths are absolute
    bool open_credentials = false;       ///< readable for all: by a user that only the tree knows
    std::string selinux_apifs_context;
    ApiWritable api_writable = ApiWritable::no;
    bool temporary_tmp = true;       ///< /tmp is a tmpfs
    std::string container = "berth"; ///< what $container says, which tells programs inside where they are

    UnitPlan unit;
    bool quiet = false;
    std::vector<std::string> warnings; ///< what the user should be told, as sentences
    /// Of each setting that is not its default: "exec.capability", "/etc/berth/a.toml:3:1: capability".
    std::vector<std::pair<std::string, std::string>> origins;

    /// True when the machine has a network namespace of its own making.
    [[nodiscard]] bool private_network() const;
    /// True when its host name is its own.
    [[nodiscard]] bool private_names() const;
};

/// What the plan needs to know of the world around it.
struct HostFacts {
    capabilities::Set bounding = ~capabilities::Set{0}; ///< ours
    bool on_terminal = false;                           ///< stdin and stdout are terminals
    bool errors_on_terminal = false;
    std::string terminal_type;     ///< $TERM
    bool no_colour = false;        ///< $NO_COLOR is set
    std::string working_directory; ///< ours, for relative paths
    std::string host_name;
    std::string credentials_directory; ///< $CREDENTIALS_DIRECTORY: what our own unit was given
    std::string state_directory = "/var/lib/berth";
    std::string runtime_directory = "/run/berth";
    std::vector<std::string> image_directories; ///< where `-M NAME` alone looks for its tree
};

/// The facts of this host and process.
[[nodiscard]] HostFacts host_facts();

/// `config` with its tree settled: its directory, absolute; without tree, layers and image the
/// directory or image NAME in an image directory, should there be one, or where we are when there
/// is no name either.
[[nodiscard]] MachineConfig with_root(MachineConfig config, const HostFacts &facts);

/// The name the machine gets: the one given, else made from the tree that with_root() settled; with
/// a random end for an ephemeral machine that was given none, as systemd-nspawn does.
[[nodiscard]] std::string name_of(const MachineConfig &config, const HostFacts &facts);

/// A new random ID of 32 hexadecimal digits.
[[nodiscard]] std::string random_id();

/// Makes the machine ID that the tree's /etc/machine-id holds the machine's, should it be one.
void take_machine_id(LaunchPlan &plan, std::string_view text);

/// The machine boots once more.
void renew_boot_id(LaunchPlan &plan);

/// Throws Error naming the setting and its origin when something is missing or contradicts.
[[nodiscard]] LaunchPlan make_plan(const MachineConfig &asked, const HostFacts &facts);

/// The plan for people, and for programs.
[[nodiscard]] std::string plan_text(const LaunchPlan &plan);
[[nodiscard]] std::string plan_json(const LaunchPlan &plan);

} // namespace berth
