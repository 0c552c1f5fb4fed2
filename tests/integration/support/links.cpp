// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/links.hpp"
#include "base/format.hpp"

#include <algorithm>

#include "support/process.hpp"

namespace berth::test {

using nlohmann::json;

namespace {

constexpr const char *our_network = "/proc/self/ns/net";

Words show_links(const std::string &network) {
    return {"nsenter", "--net=" + network, "ip", "-json", "-details", "link", "show"};
}

} // namespace

std::string network_of(pid_t process) {
    return berth::format("/proc/{}/ns/net", process);
}

json links_in(const std::string &network) {
    return json::parse(succeed(show_links(network)));
}

json host_links() {
    return links_in(our_network);
}

json link_in(const std::string &network, const std::string &name) {
    Words words = show_links(network);
    words.insert(words.end(), {"dev", name});
    const Outcome outcome = run(words);
    return outcome.status == 0 ? json::parse(outcome.out).at(0) : json();
}

json host_link(const std::string &name) {
    return link_in(our_network, name);
}

bool is_up(const json &link) {
    const auto flags = link.at("flags").get<std::vector<std::string>>();
    return std::ranges::contains(flags, "UP");
}

std::string kind_of(const json &link) {
    return link.value("/linkinfo/info_kind"_json_pointer, std::string());
}

std::vector<std::string> names_of(const json &links) {
    std::vector<std::string> names;
    for (const json &link : links)
        names.push_back(link.at("ifname"));
    return names;
}

Wire::Wire() {
    succeed({"ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"});
}

Wire::~Wire() {
    (void)run({"ip", "link", "del", "wire1"});
}

Bridge::Bridge(std::string name) : name_(std::move(name)) {
    succeed({"ip", "link", "add", name_, "type", "bridge"});
}

Bridge::~Bridge() {
    (void)run({"ip", "link", "del", name_});
}

} // namespace berth::test
