// SPDX-License-Identifier: LGPL-2.1-or-later
// `berth inspect`: what a machine really has, as the kernel tells it.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/json.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "berth/ctl/client.hpp"
#include "berth/inspect/text.hpp"
#include "berth/inspect/topic.hpp"
#include "berth/leader.hpp"
#include "cli/style.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

Subject host() {
    Subject subject{
        .name = ".host", .is_host = true, .leader = pidfd::open(1), .pid = 1, .unit = {}, .file = {}};
    return subject;
}

Subject machine(const std::string &name) {
    const auto connection = connect();
    Manager manager(*connection);
    Subject subject{.name = name,
                    .leader = {},
                    .unit =
                        property<std::string>(properties_of(*connection, manager.GetMachine(name)), "Unit"),
                    .file = {}};
    subject.leader = open_leader(name);
    subject.pid = pidfd::pid_of(subject.leader.get());
    return subject;
}

std::vector<const Topic *> topics_wanted(const Invocation &invocation) {
    std::vector<const Topic *> wanted;
    std::string known;
    const bool all = invocation.arguments.size() < 2;
    for (const Topic &topic : topics()) {
        known += berth::format("{}{}", known.empty() ? "" : ", ", topic.name);
        if (all || topic.name == invocation.arguments[1])
            wanted.push_back(&topic);
    }
    if (wanted.empty())
        fail("\"{}\" is not a topic of berth inspect: {} are", invocation.arguments[1], known);
    if (!invocation.settings.file.empty() && !std::ranges::contains(wanted, "capabilities", &Topic::name))
        fail("--file= goes with the topic capabilities");
    return wanted;
}

/// What is read through a pid belongs to the leader if it lives after all has been read: a pid is not
/// used again before its process has exited.
std::vector<Report> look(const Subject &subject, const std::vector<const Topic *> &wanted) {
    const auto gone = [&] { return subject.pid == 0 || pidfd::has_exited(subject.leader.get()); };
    std::vector<Report> reports;
    try {
        if (subject.pid != 0)
            for (const Topic *topic : wanted)
                reports.push_back(topic->look(subject));
    } catch (const Error &error) {
        if (!gone() && (error.code() == EACCES || error.code() == EPERM))
            throw Error(std::string(error.what()) + "; inspecting a machine needs root", error.code());
        if (!gone())
            throw;
    }
    if (gone())
        fail_code(ESRCH, "machine {} has ended while it was being looked at", subject.name);
    return reports;
}

void print_json(const Subject &subject, const std::vector<const Topic *> &wanted, std::vector<Report> reports,
                bool pretty) {
    Json object;
    object["machine"] = subject.name;
    object["leader"] = subject.pid;
    for (std::size_t i = 0; i < wanted.size(); ++i)
        object[std::string(wanted[i]->name)] = std::move(reports[i].json);
    const auto text = json_text(object, pretty);
    std::printf("%s\n", text.c_str());
}

void print_text(const Subject &subject, const std::string &command, const std::vector<const Topic *> &wanted,
                const std::vector<Report> &reports) {
    std::string text = berth::format("{}, leader {} ({})\n", style::bold(subject.name), subject.pid,
                                     style::printable(command));
    for (std::size_t i = 0; i < wanted.size(); ++i)
        text += berth::format("\n{}\n{}", style::bold(wanted[i]->name), indented(reports[i].text, "  "));
    std::fputs(text.c_str(), stdout);
}

} // namespace

int inspect(const Invocation &invocation) {
    const std::vector<const Topic *> wanted = topics_wanted(invocation);
    const std::string &name = invocation.arguments[0];
    Subject subject = name == ".host" ? host() : machine(name);
    subject.file = invocation.settings.file;
    const auto command =
        subject.pid == 0 ? std::nullopt : read_file_if_there(berth::format("/proc/{}/comm", subject.pid));
    std::vector<Report> reports = look(subject, wanted);
    if (invocation.settings.json())
        print_json(subject, wanted, std::move(reports), invocation.settings.output == "json-pretty");
    else
        print_text(subject, std::string(trim(command.value_or("?"))), wanted, reports);
    return 0;
}

} // namespace berth::cli
