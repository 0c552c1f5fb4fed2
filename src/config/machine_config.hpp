// SPDX-License-Identifier: LGPL-2.1-or-later
// What the user asked for. Every reader fills this one struct; nothing after it knows where a
// setting came from, but for the origins that errors name.
#pragma once

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

/// What PID 1 of the machine is (systemd-nspawn(1), "Execution Options").
enum class ExecMode : std::uint8_t {
    command, ///< the command itself is PID 1
    pid2,    ///< a small init of ours is PID 1, the command PID 2
    boot,    ///< the tree's init is PID 1
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

/// A bind mount: --bind=SOURCE[:DESTINATION[:OPTIONS]].
struct Bind {
    std::string source;
    std::string destination;
    bool read_only = false;
    bool recursive = true;
    bool optional = false; ///< skipped when the source does not exist
    Origin origin;
};

/// A tmpfs: --tmpfs=PATH[:OPTIONS].
struct Tmpfs {
    std::string destination;
    std::string options;
    Origin origin;
};

struct MachineConfig {
    std::string name;

    // root
    std::string directory;           ///< the OS tree, when there are no layers beside it
    std::vector<std::string> layers; ///< lower layers, lowest first
    std::optional<Upper> upper;
    bool ephemeral = false;
    bool read_only = false;
    Volatile volatile_mode = Volatile::no;

    // exec
    ExecMode mode = ExecMode::command;
    std::vector<std::string> command; ///< the command, or arguments to init when booting
    std::vector<std::pair<std::string, std::string>> environment;
    std::string user;
    std::string working_directory;
    std::string hostname;
    std::string machine_id; ///< 32 hexadecimal digits, or empty
    std::optional<int> kill_signal;
    bool notify_ready = false;
    std::vector<std::string> capability;
    std::vector<std::string> drop_capability;
    ConsoleMode console = ConsoleMode::automatic;

    // files
    std::vector<Bind> binds;
    std::vector<Tmpfs> tmpfs;

    // network
    bool private_network = false;

    // unit
    bool register_machine = true;
    bool keep_unit = false;
    std::string slice;
    std::vector<std::string> properties; ///< NAME=VALUE as systemd.resource-control(5) has them

    bool quiet = false;

    /// Where each setting ("files.bind") was last written.
    std::map<std::string, Origin, std::less<>> origins;
};

} // namespace berth
