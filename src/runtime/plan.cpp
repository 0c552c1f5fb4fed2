// SPDX-License-Identifier: LGPL-2.1-or-later
#include "runtime/plan.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <ranges>

#include "base/env_file.hpp"
#include "base/error.hpp"
#include "base/io.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "base/rooted.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

/// "/etc/berth/a.toml:3:8: layers", or "--layer" when nothing wrote the setting.
std::string origin_of(const MachineConfig &config, std::string_view setting, std::string_view option) {
    const auto found = config.origins.find(setting);
    return found != config.origins.end() ? found->second.text : std::string(option);
}

/// The directory at `path` with all symlinks resolved.
std::string resolve_directory(const std::string &path, const std::string &origin) {
    std::error_code error;
    const fs::path resolved = fs::canonical(path, error);
    if (error)
        fail_code(error.value(), "{}: {}", origin, path);
    if (!fs::is_directory(resolved))
        fail_code(ENOTDIR, "{}: {}", origin, resolved.native());
    return resolved.native();
}

RootPlan plan_root(const MachineConfig &config, const HostFacts &facts, const std::string &name) {
    RootPlan root;
    const std::string tree = tree_of(config, facts);
    if (!tree.empty())
        root.layers.push_back(resolve_directory(tree, origin_of(config, "root.directory", "--directory")));
    for (const std::string &layer : config.layers)
        root.layers.push_back(resolve_directory(layer, origin_of(config, "root.layers", "--layer")));
    if (root.layers.empty())
        fail("no tree to run \"{}\" from: there is none in {}; name one with --directory or --layer", name,
             facts.image_directories.empty() ? "/var/lib/machines" : facts.image_directories.front());
    for (const std::string &layer : root.layers)
        if (std::ranges::count(root.layers, layer) > 1)
            fail("{}: {} is there twice", origin_of(config, "root.layers", "--layer"), layer);

    if (config.volatile_mode == Volatile::yes || config.volatile_mode == Volatile::state)
        fail("{}: only the mode \"overlay\" is supported yet",
             origin_of(config, "files.volatile", "--volatile"));
    const bool ephemeral = config.ephemeral || config.volatile_mode == Volatile::overlay;
    if (ephemeral && config.upper && config.upper->kind != Upper::Kind::ephemeral)
        fail("{}: a machine cannot be ephemeral and keep what it writes",
             origin_of(config, "root.upper", "--upper"));
    root.read_only = config.read_only;
    if (ephemeral)
        root.upper = Upper::Kind::ephemeral;
    else if (config.upper)
        root.upper = config.upper->kind;
    else if (!config.layers.empty() && !config.read_only)
        root.upper = Upper::Kind::persistent; // layers are never written to, and nothing is lost

    if (root.upper == Upper::Kind::none && root.layers.size() == 1) {
        root.kind = RootPlan::Kind::directory;
        if (root.layers[0] == "/" && !root.read_only)
            fail("{}: the host's own root can only be run with --ephemeral or --read-only",
                 origin_of(config, "root.directory", "--directory"));
        return root;
    }
    root.kind = RootPlan::Kind::overlay;
    if (root.upper == Upper::Kind::persistent)
        root.upper_directory = facts.state_directory + "/uppers/" + name;
    else if (root.upper == Upper::Kind::path)
        root.upper_directory = config.upper->path;
    else if (root.upper == Upper::Kind::ephemeral)
        root.upper_directory = facts.runtime_directory + "/upper";
    return root;
}

/// The layers as overlayfs looks through them, topmost first, the upper included.
std::vector<std::string> top_down(const RootPlan &root) {
    std::vector<std::string> order(root.layers.rbegin(), root.layers.rend());
    if (root.is_overlay() && root.upper != Upper::Kind::ephemeral && !root.upper_directory.empty())
        order.insert(order.begin(), root.upper_directory + "/upper");
    return order;
}

/// The directory to look in for `path`: the topmost layer that has it. Empty when none does, or
/// when a layer above hides it by a whiteout (a character device 0:0).
unique_fd layer_with(const RootPlan &root, std::string_view path) {
    for (const std::string &layer : top_down(root)) {
        unique_fd directory(::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory)
            continue; // an upper that is yet to be made
        const unique_fd entry = rooted::try_open(directory.get(), path, O_PATH | O_NOFOLLOW);
        struct stat st{};
        if (!entry || ::fstat(entry.get(), &st) < 0)
            continue;
        if (S_ISCHR(st.st_mode) && st.st_rdev == ::makedev(0, 0))
            return {};
        return directory;
    }
    return {};
}

/// Content of a file of the merged tree; nothing when it is missing or not a readable file.
std::optional<std::string> read_merged(const RootPlan &root, std::string_view path) {
    const unique_fd layer = layer_with(root, path);
    if (!layer)
        return std::nullopt;
    try {
        return rooted::read_file(layer.get(), path);
    } catch (const Error &) {
        return std::nullopt; // hostile or broken: as good as missing
    }
}

void require_os_tree(const MachineConfig &config, const RootPlan &root) {
    const std::string origin = origin_of(config, "root.directory", "--directory");
    const std::string where = root.layers.size() == 1 ? root.layers[0]
                                                      : std::format("the stack of {} layers under {}",
                                                                    root.layers.size(), root.layers.back());
    if (config.mode == ExecMode::boot) {
        if (!layer_with(root, "etc/os-release") && !layer_with(root, "usr/lib/os-release"))
            fail("{}: {} does not look like an OS tree: it has no os-release file", origin, where);
    } else if (!layer_with(root, "usr")) {
        fail("{}: {} does not look like an OS tree: it has no /usr", origin, where);
    }
}

std::string plan_machine_id(const MachineConfig &config, const RootPlan &root) {
    if (!config.machine_id.empty())
        return config.machine_id;
    if (const auto text = read_merged(root, "etc/machine-id"))
        if (const auto id = parse_id128(trim(*text)); id && *id != std::string(32, '0'))
            return *id;
    return random_id();
}

std::vector<MountPlan> plan_mounts(const MachineConfig &config) {
    std::vector<MountPlan> mounts;
    for (const Bind &bind : config.binds) {
        std::error_code error;
        const fs::path source = fs::canonical(bind.source, error);
        if (error && bind.optional && error == std::errc::no_such_file_or_directory)
            continue;
        if (error)
            fail_code(error.value(), "{}: {}", bind.origin.text, bind.source);
        mounts.push_back({.kind = MountPlan::Kind::bind,
                          .source = source.native(),
                          .destination = fs::path(bind.destination).lexically_normal().native(),
                          .read_only = bind.read_only,
                          .recursive = bind.recursive,
                          .origin = bind.origin});
    }
    for (const Tmpfs &tmpfs : config.tmpfs)
        mounts.push_back({.kind = MountPlan::Kind::tmpfs,
                          .source = tmpfs.options,
                          .destination = fs::path(tmpfs.destination).lexically_normal().native(),
                          .origin = tmpfs.origin});
    for (MountPlan &mount : mounts) {
        if (mount.destination.size() > 1 && mount.destination.ends_with('/'))
            mount.destination.pop_back();
        if (mount.destination == "/")
            fail("{}: the root itself cannot be mounted over", mount.origin.text);
    }
    std::ranges::stable_sort(mounts, [](const MountPlan &a, const MountPlan &b) {
        return fs::path(a.destination) < fs::path(b.destination); // by component: parents first
    });
    return mounts;
}

ConsoleMode plan_console(ConsoleMode asked, bool on_terminal) {
    switch (asked) {
    case ConsoleMode::automatic: return on_terminal ? ConsoleMode::interactive : ConsoleMode::read_only;
    case ConsoleMode::autopipe: return on_terminal ? ConsoleMode::interactive : ConsoleMode::pipe;
    default: return asked;
    }
}

/// The Container Interface's environment of PID 1, and what the user set on top.
std::vector<std::pair<std::string, std::string>>
plan_environment(const MachineConfig &config, const HostFacts &facts, const std::string &machine_id) {
    std::vector<std::pair<std::string, std::string>> environment{
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"container", "berth"},
        {"container_uuid", uuid_of(machine_id)},
        {"TERM", facts.terminal_type.empty() ? "vt220" : facts.terminal_type},
        {"LANG", "C.UTF-8"},
        {"NOTIFY_SOCKET", "/run/host/notify"},
    };
    if (const auto text = read_file_if_there("/etc/os-release")) {
        const auto host = parse_env_file(*text);
        for (const std::string_view key : {"ID", "BUILD_ID", "VERSION_ID", "VARIANT_ID"}) {
            std::string name = "container_host_" + std::string(key);
            std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
            if (const auto value = host.find(std::string(key)); value != host.end())
                environment.emplace_back(name, value->second);
        }
    }
    for (const auto &[name, value] : config.environment) {
        const auto same = std::ranges::find(environment, name, [](const auto &entry) { return entry.first; });
        if (same != environment.end())
            same->second = value;
        else
            environment.emplace_back(name, value);
    }
    return environment;
}

UnitPlan plan_unit(const MachineConfig &config, const std::string &name) {
    if (config.keep_unit && (!config.properties.empty() || !config.slice.empty()))
        fail("{}: the unit we run in is kept, so it takes no slice or properties from here",
             origin_of(config, "unit.keep_unit", "--keep-unit"));
    UnitPlan unit{.register_machine = config.register_machine,
                  .keep_unit = config.keep_unit,
                  .scope = {},
                  .slice = {},
                  .properties = config.properties};
    if (!config.keep_unit) {
        unit.scope = scope_name(name);
        unit.slice = config.slice.empty() ? "machine.slice" : config.slice;
        if (!unit.slice.ends_with(".slice"))
            unit.slice += ".slice";
    }
    return unit;
}

} // namespace

std::string random_id() {
    sd_id128_t id;
    if (const int r = ::sd_id128_randomize(&id); r < 0)
        fail_code(-r, "making a random ID");
    std::array<char, SD_ID128_STRING_MAX> text{};
    return ::sd_id128_to_string(id, text.data());
}

HostFacts host_facts() {
    const char *term = ::getenv("TERM"); // NOLINT(concurrency-mt-unsafe): one thread
    std::error_code error;
    return HostFacts{
        .on_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1,
        .terminal_type = term != nullptr ? term : "",
        .working_directory = fs::current_path(error).native(),
        .image_directories = {"/var/lib/machines", "/etc/machines", "/run/machines",
                              "/usr/local/lib/machines", "/usr/lib/machines"},
    };
}

std::string tree_of(const MachineConfig &config, const HostFacts &facts) {
    if (!config.directory.empty())
        return (fs::path(facts.working_directory) / config.directory).lexically_normal().native();
    if (!config.layers.empty())
        return {};
    if (config.name.empty())
        return facts.working_directory;
    for (const std::string &directory : facts.image_directories)
        if (fs::is_directory(fs::path(directory) / config.name))
            return directory + "/" + config.name;
    return {};
}

std::string name_of(const MachineConfig &config, const std::string &tree) {
    if (!config.name.empty())
        return config.name;
    fs::path path(!config.layers.empty() ? config.layers.back() : tree);
    if (!path.has_filename())
        path = path.parent_path();
    std::string name = clean_machine_name(path == "/" ? "host" : path.filename().native());
    if (name.empty())
        fail("no machine name can be made from {}: give one with --machine", path.native());
    if (config.ephemeral)
        name = clean_machine_name(name.substr(0, 47) + "-" + random_id().substr(0, 16));
    return name;
}

LaunchPlan make_plan(const MachineConfig &config, const HostFacts &facts) {
    LaunchPlan plan;
    plan.name = name_of(config, tree_of(config, facts));
    plan.hostname = config.hostname.empty() ? plan.name : config.hostname;
    plan.root = plan_root(config, facts, plan.name);
    require_os_tree(config, plan.root);
    plan.machine_id = plan_machine_id(config, plan.root);
    plan.boot_id = random_id();
    plan.mounts = plan_mounts(config);
    plan.namespaces = std::uint64_t{CLONE_NEWNS} | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (config.private_network)
        plan.namespaces |= CLONE_NEWNET;
    plan.bounding =
        (capabilities::default_bounding(config.private_network) | capabilities::from_names(config.capability))
        & ~capabilities::from_names(config.drop_capability);
    plan.mode = config.mode;
    plan.command = config.command;
    plan.environment = plan_environment(config, facts, plan.machine_id);
    plan.user = config.user;
    if (config.mode == ExecMode::boot && !config.user.empty() && config.user != "root")
        fail("{}: an init runs as root; --user goes with a command",
             origin_of(config, "exec.user", "--user"));
    plan.working_directory = config.working_directory;
    plan.kill_signal = config.kill_signal.value_or(config.mode == ExecMode::boot ? SIGRTMIN + 3 : 0);
    plan.notify_ready = config.notify_ready;
    plan.console = plan_console(config.console, facts.on_terminal);
    plan.unit = plan_unit(config, plan.name);
    plan.quiet = config.quiet;
    return plan;
}

} // namespace berth
