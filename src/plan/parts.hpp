// SPDX-License-Identifier: LGPL-2.1-or-later
// The parts that make_plan() puts together, one function each. For plan*.cpp only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/plan.hpp"

namespace berth::plan_parts {

/// "/etc/berth/a.toml:3:8: layers", or "--layer" when nothing wrote the setting.
[[nodiscard]] std::string origin_of(const MachineConfig &config, std::string_view setting,
                                    std::string_view option);

[[nodiscard]] RootPlan root(const MachineConfig &config, const HostFacts &facts, const std::string &name);

/// Content of a file of the merged tree; nothing when it is missing or not a readable file.
[[nodiscard]] std::optional<std::string> read_merged(const RootPlan &root, std::string_view path);

/// Throws Error when the tree has nothing that could run.
void require_os_tree(const LaunchPlan &plan);

/// Where the kernel shows the boot ID.
constexpr const char *boot_id_path = "/proc/sys/kernel/random/boot_id";

/// What every machine has, of a plan that is complete but for this.
[[nodiscard]] ApiPlan api(const LaunchPlan &plan);
[[nodiscard]] std::vector<MountPlan> mounts(const MachineConfig &config);
[[nodiscard]] UsersPlan users(const MachineConfig &config, const RootPlan &root);
[[nodiscard]] network::Plan network(const MachineConfig &config);
[[nodiscard]] JoinPlan join(const MachineConfig &config);
[[nodiscard]] ProcessPlan process(const MachineConfig &config);

/// The Container Interface's environment of PID 1, and what the user set on top.
[[nodiscard]] std::vector<std::pair<std::string, std::string>>
environment(const MachineConfig &config, const HostFacts &facts, const LaunchPlan &plan);

/// Paths are settled: one without a slash is the name of a credential of our own unit's.
[[nodiscard]] std::vector<Credential> credentials(const MachineConfig &config, const HostFacts &facts);
[[nodiscard]] UnitPlan unit(const MachineConfig &config, const std::string &name);

/// Has the plan follow the variables of our environment that systemd-nspawn follows; to be called once its root,
/// its process and its namespaces are settled.
void heed_peer_environment(LaunchPlan &plan, const MachineConfig &config);

/// Settles what `automatic` means here.
/// none where what is written is thrown away.
[[nodiscard]] LinkJournal link_journal(const MachineConfig &config, const RootPlan &root);
[[nodiscard]] ResolvConf resolv_conf(ResolvConf mode, const LaunchPlan &plan);
[[nodiscard]] Timezone timezone(Timezone mode, const LaunchPlan &plan);

} // namespace berth::plan_parts
