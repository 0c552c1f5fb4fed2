// SPDX-License-Identifier: LGPL-2.1-or-later
// Namespaces: those of the users, and those that are shared with others.
#include <sys/stat.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernel/id_maps.hpp"
#include "plan/parts.hpp"

namespace berth::plan_parts {

namespace {

/// What "--network-of=" and its like name: a file, or a machine.
JoinedNamespace joined(const std::string &whose, const std::string &origin) {
    const bool is_path = whose.starts_with('/');
    return {.path = is_path ? whose : "", .machine = is_path ? "" : whose, .origin = origin};
}

/// The first ID of the range that the tree's owner is in.
std::uint32_t base_of_tree(const RootPlan &root) {
    struct stat st{};
    if (::stat(root.tree().c_str(), &st) < 0)
        fail_errno("looking at {}", root.tree());
    return range_base(st.st_uid);
}

/// Owners are changed on disk, in the one tree that is written to.
void require_ownable(const RootPlan &root, const std::string &origin) {
    if (root.is_overlay())
        fail("{}: layers are never written to, so their files keep their owners; use map", origin);
    if (!root.image.empty())
        fail("{}: the files of an image keep their owners; use map", origin);
    if (root.read_only || root.usr_only)
        fail("{}: a tree that is only read keeps the owners of its files; use map", origin);
}

void plan_bound(const MachineConfig &config, UsersPlan &users) {
    for (const BindUser &user : config.users.bind_users) {
        if (!users.enabled)
            fail("{}: a user of the host needs a user namespace to be mapped into: add --private-users=",
                 user.origin.text);
        if (!std::ranges::contains(users.bound, user.name, &BindUser::name))
            users.bound.push_back(user);
    }
    users.bound_shell = config.users.bind_user_shell;
    if (users.bound_shell && users.bound.empty())
        fail("{}: there is no user to have this shell: add --bind-user=",
             origin_of(config, "files.bind_user_shell", "--bind-user-shell"));
}

} // namespace

UsersPlan users(const MachineConfig &config, const RootPlan &root) {
    using Mode = UsersConfig::Mode;
    using Ownership = UsersConfig::Ownership;
    UsersPlan users;
    users.enabled = config.users.mode != Mode::no;
    users.ownership = config.users.ownership.value_or(Ownership::automatic);
    switch (config.users.mode) {
    case Mode::no: users.ownership = Ownership::off; break;
    case Mode::yes:
        users.of_image = !root.image.empty();
        users.base = users.of_image ? 0 : base_of_tree(root);
        break;
    case Mode::pick: users.pick = true; break;
    case Mode::identity: break;
    case Mode::managed:
        fail("{}: ranges managed by systemd-nsresourced are not supported yet; pick takes a free one",
             origin_of(config, "exec.private_users", "--private-users"));
    case Mode::fixed:
        users.base = config.users.base;
        users.count = config.users.count;
        break;
    }
    if (users.ownership == Ownership::chown)
        require_ownable(root,
                        origin_of(config, "files.private_users_ownership", "--private-users-ownership"));
    plan_bound(config, users);
    return users;
}

JoinPlan join(const MachineConfig &config) {
    const JoinConfig &asked = config.join;
    const std::string network = asked.network.empty()
                                    ? origin_of(config, "network.namespace_path", "--network-namespace-path")
                                    : origin_of(config, "network.network_of", "--network-of");
    if (!asked.network.empty() && !config.network.namespace_path.empty())
        fail("{}: only one network namespace can be entered", network);
    const std::string &net = asked.network.empty() ? config.network.namespace_path : asked.network;
    JoinPlan join{.network = joined(net, network),
                  .ipc = joined(asked.ipc, origin_of(config, "exec.ipc_of", "--ipc-of")),
                  .pid = joined(asked.pid, origin_of(config, "exec.pid_of", "--pid-of")),
                  .uts = joined(asked.uts, origin_of(config, "exec.uts_of", "--uts-of"))};
    if (!join.pid.empty() && config.exec.boot)
        fail("{}: an init must be PID 1, which it cannot be among the processes of another machine",
             origin_of(config, "exec.pid_of", "--pid-of"));
    if (!join.pid.empty() && config.exec.process_two)
        fail("{}: the small init of --as-pid2 must be PID 1, which it cannot be among the processes of "
             "another machine",
             origin_of(config, "exec.pid_of", "--pid-of"));
    if (!join.pid.empty() && config.users.mode != UsersConfig::Mode::no)
        fail("{}: the processes of another machine belong to its users, so a machine with users of its own "
             "cannot mount their /proc",
             origin_of(config, "exec.private_users", "--private-users"));
    return join;
}

} // namespace berth::plan_parts
