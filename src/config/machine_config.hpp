// SPDX-License-Identifier: LGPL-2.1-or-later
// What the user asked for. Every reader fills this one struct; nothing after it knows where a
// setting came from, but for the origins that errors name.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace berth {

/// Where a value was written: "/etc/berth/a.toml:3:8" or "--bind=".
struct Origin {
    std::string text;
};

/// --volatile= of systemd-nspawn(1).
enum class Volatile : std::uint8_t { no, yes, state, overlay };

/// --console= of systemd-nspawn(1).
enum class ConsoleMode : std::uint8_t { automatic, interactive, read_only, passive, pipe, autopipe };

/// Where what the machine writes goes.
struct Upper {
    enum class Kind : std::uint8_t {
        none,       ///< no overlay because of this setting
        ephemeral,  ///< a tmpfs that lives as long as the launcher
        persistent, ///< a folder under /var/lib/berth named after the machine
        path,       ///< the folder `path`
    };
    Kind kind = Kind::none;
    std::string path;
};

struct RootConfig {
    std::string directory;                   ///< the OS tree, when there are no layers beside it
    std::string image;                       ///< a disk image in place of the directory
    std::optional<std::string> image_policy; ///< systemd.image-policy(7), or the standard one
    std::string template_tree;               ///< what `directory` is made from when it does not exist
    std::vector<std::string> layers;         ///< lower layers, lowest first
    std::optional<Upper> upper;
    bool ephemeral = false;
    bool read_only = false;
    Volatile volatile_mode = Volatile::no;
    std::string pivot_new; ///< --pivot-root=: what becomes / inside, or empty
    std::string pivot_old; ///< where the former root is put, or empty
};

/// What is done with a file of the host that machines have too (/etc/resolv.conf, /etc/localtime).
/// The names are those of --resolv-conf= and --timezone= of systemd-nspawn(1).
enum class ResolvConf : std::uint8_t {
    automatic,
    off,
    copy_host,
    copy_static,
    copy_uplink,
    copy_stub,
    replace_host,
    replace_static,
    replace_uplink,
    replace_stub,
    bind_host,
    bind_static,
    bind_uplink,
    bind_stub,
    remove,
};
enum class Timezone : std::uint8_t { automatic, off, copy, bind, symlink, remove };

/// --link-journal= of systemd-nspawn(1).
struct LinkJournal {
    enum class Mode : std::uint8_t { automatic, no, host, guest };
    Mode mode = Mode::automatic;
    bool tolerant = false; ///< the try- forms: what cannot be done is left
};

/// One of setrlimit(2)'s limits.
struct ResourceLimit {
    int resource = 0; ///< RLIMIT_*
    rlim_t soft = 0;
    rlim_t hard = 0;
};

/// Secret data for the machine's units (systemd.exec(5), "Credentials").
struct Credential {
    std::string id;
    std::string value; ///< the data itself, or, when `is_path`, the name of the host's file
    bool is_path = false;
    Origin origin;
};

/// When a machine counts as up.
enum class NotifyReady : std::uint8_t {
    no,        ///< once PID 1 has been executed
    yes,       ///< when PID 1 says so (sd_notify(3))
    automatic, ///< as yes for an init that does so, else as no
};

struct ExecConfig {
    bool boot = false;                ///< the tree's init is PID 1
    bool process_two = false;         ///< a small init of ours is PID 1, the command PID 2
    std::vector<std::string> command; ///< the command, or arguments to init when booting
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user;
    std::string working_directory;
    std::string hostname;
    std::string machine_id; ///< 32 hexadecimal digits, or empty
    std::optional<int> kill_signal;
    NotifyReady notify_ready = NotifyReady::no;

    std::vector<std::string> capability;
    std::vector<std::string> drop_capability;
    std::vector<std::string> ambient_capability;
    bool no_new_privileges = false;
    std::vector<std::string> system_call_filter; ///< rules in order: "NAME… @GROUP…", or "~NAME…"
    bool suppress_sync = false;

    std::vector<ResourceLimit> limits;
    std::optional<int> oom_score_adjust;
    std::vector<unsigned> cpu_affinity;
    std::optional<unsigned long> personality; ///< PER_*, personality(2)
    std::string selinux_context;
    std::string selinux_apifs_context;

    ResolvConf resolv_conf = ResolvConf::automatic;
    Timezone timezone = Timezone::automatic;
    LinkJournal link_journal;
    std::vector<Credential> credentials;
};

/// A user of the host that the machine knows, too: --bind-user= of systemd-nspawn(1).
struct BindUser {
    std::string name;
    Origin origin;
};

/// --private-users= and --private-users-ownership= of systemd-nspawn(1).
struct UsersConfig {
    enum class Mode : std::uint8_t {
        no,
        yes,      ///< the range that the tree's owner is in
        pick,     ///< a free range
        identity, ///< 0 to 65535 as themselves
        managed,  ///< a range of systemd-nsresourced
        fixed,    ///< `base` and `count`
    };
    enum class Ownership : std::uint8_t { automatic, off, chown, map };
    Mode mode = Mode::no;
    std::uint32_t base = 0;
    std::uint32_t count = 65536;
    std::optional<Ownership> ownership;
    std::vector<BindUser> bind_users;
    std::optional<std::string> bind_user_shell; ///< empty: the one each has on the host
};

/// How users of a bind mount are mapped: the mount options of systemd-nspawn(1) by their names.
enum class IdMap : std::uint8_t { none, idmap, rootidmap, owneridmap };

/// A mount into the tree: --bind=, --tmpfs=, --inaccessible=, --overlay= and their like.
struct MountConfig {
    enum class Kind : std::uint8_t { bind, tmpfs, inaccessible, overlay };
    /// A path on the host or, marked by "+", in the machine's own tree.
    struct Source {
        std::string path; ///< empty: a new temporary directory
        bool inside = false;
    };
    Kind kind = Kind::bind;
    std::vector<Source> sources; ///< an overlay's layers, lowest first, its upper last
    std::string destination;
    std::string options; ///< of a tmpfs
    bool read_only = false;
    bool recursive = true;
    bool optional = false; ///< left out when the source does not exist
    IdMap id_map = IdMap::none;
    Origin origin;
};

/// A link of the host and its name inside.
struct LinkPair {
    std::string host;
    std::string inside;
};

/// A port of the host that leads to one of the machine.
struct PortForward {
    std::string protocol; ///< "tcp" or "udp"
    std::uint16_t host = 0;
    std::uint16_t machine = 0;
};

struct NetworkConfig {
    bool private_network = false;
    bool veth = false;
    std::vector<LinkPair> veth_extra;
    std::vector<LinkPair> interfaces;
    std::vector<LinkPair> macvlan;
    std::vector<LinkPair> ipvlan;
    std::string bridge;
    std::string zone;
    std::vector<PortForward> ports;
    std::string namespace_path;
};

/// Namespaces that are not the machine's own: of the machine named so, or at the path when it
/// begins with a slash.
struct JoinConfig {
    std::string network;
    std::string ipc;
    std::string pid;
    std::string uts;
};

struct UnitConfig {
    bool register_machine = true;
    bool keep_unit = false;
    std::string slice;
    std::vector<std::string> properties; ///< NAME=VALUE as systemd.resource-control(5) has them
};

struct MachineConfig {
    std::string name;
    RootConfig root;
    ExecConfig exec;
    UsersConfig users;
    std::vector<MountConfig> mounts;
    NetworkConfig network;
    JoinConfig join;
    bool private_time = false; ///< clocks that count from the machine's start
    UnitConfig unit;
    ConsoleMode console = ConsoleMode::automatic;
    std::string background; ///< colour for our terminal: parameters of SGR
    bool quiet = false;

    /// Where each setting ("files.bind") was last written.
    std::map<std::string, Origin, std::less<>> origins;
};

} // namespace berth
