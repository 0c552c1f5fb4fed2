// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/plan.hpp"

#include <sched.h>
#include <signal.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <filesystem>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"
#include "plan/parts.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

ExecMode plan_mode(const MachineConfig &config) {
    return config.exec.boot ? ExecMode::boot : config.exec.process_two ? ExecMode::pid2 : ExecMode::command;
}

/// Where stdin and stdout are both a terminal, "pipe" means a terminal of the machine's own: ours is for
/// none.
ConsoleMode plan_console(ConsoleMode asked, bool on_terminal) {
    switch (asked) {
    case ConsoleMode::automatic: return on_terminal ? ConsoleMode::interactive : ConsoleMode::read_only;
    case ConsoleMode::pipe:
    case ConsoleMode::autopipe: return on_terminal ? ConsoleMode::interactive : ConsoleMode::pipe;
    default: return asked;
    }
}

std::string plan_background(const MachineConfig &config, const HostFacts &facts) {
    const bool wanted = config.console != ConsoleMode::pipe && !facts.no_colour
                        && !facts.terminal_type.empty() && facts.terminal_type != "dumb";
    return wanted ? config.background : "";
}

std::optional<std::string> machine_id_in(std::string_view text) {
    auto id = parse_id128(trim(text));
    if (id && *id == std::string(32, '0'))
        id.reset();
    return id;
}

std::string plan_machine_id(const MachineConfig &config, const RootPlan &root) {
    const auto text = root.usr_only ? std::nullopt : plan_parts::read_merged(root, "etc/machine-id");
    if (const auto id = text ? machine_id_in(*text) : std::nullopt)
        return *id; // whatever is asked for: it is what the machine goes by
    return config.exec.machine_id.empty() ? random_id() : config.exec.machine_id;
}

/// Whether the settings ask for a network namespace, all but its links.
bool wants_private_network(const NetworkConfig &network) {
    return network.private_network || network.veth || !network.veth_extra.empty()
           || !network.interfaces.empty() || !network.macvlan.empty() || !network.ipvlan.empty()
           || !network.bridge.empty() || !network.zone.empty();
}

std::uint64_t plan_namespaces(const MachineConfig &config, const LaunchPlan &plan) {
    std::uint64_t flags = CLONE_NEWNS;
    if (plan.join.ipc.empty())
        flags |= CLONE_NEWIPC;
    if (plan.join.uts.empty())
        flags |= CLONE_NEWUTS;
    if (plan.join.pid.empty())
        flags |= CLONE_NEWPID;
    if (wants_private_network(config.network)) {
        if (!plan.join.network.empty())
            fail("{}: a network that is shared has the links that it has", plan.join.network.origin);
        flags |= CLONE_NEWNET;
    }
    if (!config.network.ports.empty() && (flags & CLONE_NEWNET) == 0)
        fail("{}: a port leads to a network of the machine's own: add --network-veth",
             plan_parts::origin_of(config, "network.port", "--port"));
    if (plan.users.enabled)
        flags |= CLONE_NEWUSER;
    if (config.private_time)
        flags |= CLONE_NEWTIME;
    return flags;
}

capabilities::Set plan_bounding(const MachineConfig &config, const HostFacts &facts, const LaunchPlan &plan) {
    const bool own_network = plan.private_network() || !plan.join.network.empty();
    const capabilities::Set asked = capabilities::from_names(config.exec.capability);
    capabilities::Set usual = capabilities::default_bounding(own_network);
    if (plan.users.enabled && !own_network)
        usual &= ~capabilities::from_names({"cap_net_bind_service"}); // the ports are the host's
    capabilities::Set set = (usual | asked) & ~capabilities::from_names(config.exec.drop_capability);
    if (!plan.users.enabled) { // those who make a user namespace have all in it
        const bool all = std::ranges::contains(config.exec.capability, "all");
        if (const auto missing = set & asked & ~facts.bounding; missing != 0 && !all)
            fail("{}: we have no {} to give, nor can we get it",
                 plan_parts::origin_of(config, "exec.capability", "--capability"),
                 capabilities::names(missing).front());
        set &= facts.bounding;
    }
    if ((plan.process.ambient & ~set) != 0)
        fail("{}: {} is not in the bounding set; add it with --capability=",
             plan_parts::origin_of(config, "exec.ambient_capability", "--ambient-capability"),
             capabilities::names(plan.process.ambient & ~set).front());
    return set;
}

std::string host_name() {
    std::array<char, HOST_NAME_MAX + 1> name{};
    if (::gethostname(name.data(), name.size() - 1) < 0)
        fail_errno("reading the host name");
    return name.data();
}

} // namespace

std::string plan_parts::origin_of(const MachineConfig &config, std::string_view setting,
                                  std::string_view option) {
    const auto found = config.origins.find(setting);
    return found != config.origins.end() ? found->second.text : std::string(option);
}

bool LaunchPlan::private_network() const {
    return (namespaces & CLONE_NEWNET) != 0;
}

bool LaunchPlan::private_names() const {
    return (namespaces & CLONE_NEWUTS) != 0;
}

void take_machine_id(LaunchPlan &plan, std::string_view text) {
    const auto id = machine_id_in(text);
    if (!id)
        return;
    for (auto &[name, value] : plan.environment)
        if (name == "container_uuid" && value == uuid_of(plan.machine_id))
            value = uuid_of(*id);
    plan.machine_id = *id;
}

void renew_boot_id(LaunchPlan &plan) {
    plan.boot_id = random_id();
    for (CoverPlan &cover : plan.api.covers)
        if (cover.path == plan_parts::boot_id_path)
            cover.text = uuid_of(plan.boot_id) + "\n";
}

std::string random_id() {
    sd_id128_t id;
    if (const int r = ::sd_id128_randomize(&id); r < 0)
        fail_code(-r, "making a random ID");
    std::array<char, SD_ID128_STRING_MAX> text{};
    return ::sd_id128_to_string(id, text.data());
}

HostFacts host_facts() {
    const char *term = ::getenv("TERM");                         // NOLINT(concurrency-mt-unsafe): one thread
    const char *credentials = ::getenv("CREDENTIALS_DIRECTORY"); // NOLINT(concurrency-mt-unsafe)
    std::error_code error;
    return HostFacts{
        .bounding = capabilities::own_bounding(),
        .on_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1,
        .errors_on_terminal = ::isatty(STDERR_FILENO) == 1,
        .terminal_type = term != nullptr ? term : "",
        .no_colour = ::getenv("NO_COLOR") != nullptr, // NOLINT(concurrency-mt-unsafe): one thread
        .working_directory = fs::current_path(error).native(),
        .host_name = host_name(),
        .credentials_directory = credentials != nullptr ? credentials : "",
        .image_directories = {"/var/lib/machines", "/etc/machines", "/run/machines",
                              "/usr/local/lib/machines", "/usr/lib/machines"},
    };
}

LaunchPlan make_plan(const MachineConfig &asked, const HostFacts &facts) {
    const MachineConfig config = with_root(asked, facts);
    LaunchPlan plan;
    plan.name = name_of(config, facts);
    plan.hostname = config.exec.hostname.empty() ? plan.name : config.exec.hostname;
    plan.mode = plan_mode(config);
    plan.root = plan_parts::root(config, facts, plan.name);
    plan.machine_id = plan_machine_id(config, plan.root);
    plan.machine_id_of_tree = !plan.root.image.empty() && !plan.root.usr_only;
    plan.boot_id = random_id();
    plan.users = plan_parts::users(config, plan.root);
    plan.root.no_devices = plan.users.enabled;
    plan.mounts = plan_parts::mounts(config);
    plan.os_is_mounted = std::ranges::any_of(plan.mounts, [](const MountPlan &mount) {
        const std::string &path = mount.destination;
        return path == "/etc" || path.starts_with("/etc/os-release") || path == "/usr" || path.starts_with("/usr/");
    });
    plan.join = plan_parts::join(config);
    plan.network = plan_parts::network(config);
    plan.namespaces = plan_namespaces(config, plan);
    plan.process = plan_parts::process(config);
    plan_parts::heed_peer_environment(plan, config);
    plan_parts::require_os_tree(plan);
    plan.bounding = plan_bounding(config, facts, plan);
    plan.command = config.exec.command;
    plan.credentials = plan_parts::credentials(config, facts);
    plan.environment = plan_parts::environment(config, facts, plan);
    plan.user = config.exec.user;
    if (plan.mode == ExecMode::boot && !plan.user.empty() && plan.user != "root")
        fail("{}: an init runs as root; --user goes with a command",
             plan_parts::origin_of(config, "exec.user", "--user"));
    // The user is known to the tree alone, and can gain no privileges to read what is root's.
    plan.open_credentials =
        plan.mode == ExecMode::command && !plan.user.empty() && plan.process.no_new_privileges;
    plan.working_directory = config.exec.working_directory;
    plan.kill_signal = config.exec.kill_signal.value_or(plan.mode == ExecMode::boot ? SIGRTMIN + 3 : 0);
    plan.notify_ready = config.exec.notify_ready;
    plan.console = plan_console(config.console, facts.on_terminal);
    plan.errors_apart = config.console == ConsoleMode::pipe && !facts.errors_on_terminal;
    plan.background = plan_background(config, facts);
    plan.resolv_conf = plan_parts::resolv_conf(config.exec.resolv_conf, plan);
    plan.timezone = plan_parts::timezone(config.exec.timezone, plan);
    plan.link_journal = plan_parts::link_journal(config, plan.root);
    plan.selinux_apifs_context = config.exec.selinux_apifs_context;
    plan.unit = plan_parts::unit(config, plan.name);
    plan.quiet = config.quiet || plan.console == ConsoleMode::pipe; // what is printed is the command's
    plan.api = plan_parts::api(plan);
    for (const auto &[setting, origin] : config.origins)
        plan.origins.emplace_back(setting, origin.text);
    return plan;
}

} // namespace berth
