// SPDX-License-Identifier: LGPL-2.1-or-later
// berth status: all there is to see of machines, for people.
#include <net/if.h>

#include <array>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/pidfd.hpp"
#include "berth/ctl/addresses.hpp"
#include "berth/ctl/client.hpp"
#include "berth/ctl/log_text.hpp"
#include "berth/inspect/cgroup_tree.hpp"
#include "berth/inspect/layers.hpp"
#include "cli/format.hpp"
#include "cli/style.hpp"
#include "cli/verbs.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view tree_indent = "\t\t  ";

class Report {
public:
    Report(sdbus::IConnection &connection, Manager &manager, const Settings &settings, std::string name)
        : manager_(manager), settings_(settings), name_(std::move(name)),
          properties_(properties_of(connection, manager.GetMachine(name_))) {}

    void print() {
        heading();
        leader();
        line("Service",
             text("Service").empty() ? "" : berth::format("{}; class {}", text("Service"), text("Class")));
        if (text("Service").empty())
            line("Class", text("Class"));
        line("Root", text("RootDirectory"));
        layers();
        line("Iface", interfaces());
        addresses();
        operating_system();
        unit();
        log();
    }

private:
    [[nodiscard]] std::string text(const char *name) const {
        return style::printable(property<std::string>(properties_, name));
    }

    static void line(std::string_view title, std::string_view value) {
        if (!value.empty())
            std::fputs(berth::format("\t{:>8}: {}\n", title, value).c_str(), stdout);
    }

    /// A part that could not be had leaves the others standing.
    template <class Part> static void try_part(std::string_view title, Part part) {
        try {
            part();
        } catch (const sdbus::Error &error) {
            line(title, style::grey(berth::format("({})", error.getMessage())));
        } catch (const Error &error) {
            line(title, style::grey(berth::format("({})", error.what())));
        }
    }

    void heading() {
        const std::string id = id_text(property<std::vector<std::uint8_t>>(properties_, "Id"));
        std::fputs((style::bold(name_) + (id.empty() ? "" : "(" + id + ")") + "\n").c_str(), stdout);
        since_ = property<std::uint64_t>(properties_, "Timestamp");
        if (since_ != 0)
            line("Since", timestamp_text(since_) + "; " + age_text(since_));
    }

    void leader() {
        leader_ = static_cast<pid_t>(property<std::uint32_t>(properties_, "Leader"));
        if (leader_ == 0)
            return;
        try {
            pidfd_ = pidfd::open(leader_);
        } catch (const Error &) {
            leader_ = 0; // it has just ended
            return;
        }
        const auto command = read_file_if_there(berth::format("/proc/{}/comm", leader_));
        line("Leader", command ? berth::format("{} ({})", leader_, style::printable(trim(*command)))
                               : std::to_string(leader_));
    }

    void layers() {
        if (leader_ == 0)
            return;
        try_part("Layers", [&] {
            const RootMount mount = root_mount_of(leader_);
            if (pidfd::has_exited(pidfd_.get()))
                return; // whose mounts these are is not certain
            line("Mount", mount.type + (mount.read_only ? ", read-only" : ""));
            std::string_view title = "Layers";
            if (!mount.upper.empty())
                line(std::exchange(title, ""), style::printable(mount.upper) + " (upper)");
            for (const std::string &lower : mount.lowers)
                line_below(std::exchange(title, ""), style::printable(lower));
        });
    }

    static void line_below(std::string_view title, std::string_view value) {
        if (title.empty())
            std::fputs(berth::format("\t{:>8}  {}\n", "", value).c_str(), stdout);
        else
            line(title, value);
    }

    /// The links of the host that lead to it.
    [[nodiscard]] std::string interfaces() const {
        std::string names;
        for (const std::int32_t index : property<std::vector<std::int32_t>>(properties_, "NetworkInterfaces"))
            if (std::array<char, IF_NAMESIZE> name{};
                ::if_indextoname(static_cast<unsigned>(index), name.data()) != nullptr)
                names += (names.empty() ? "" : " ") + std::string(name.data());
        return style::printable(names);
    }

    void addresses() {
        try_part("Address", [&] {
            const std::string all =
                addresses_text(manager_.GetMachineAddresses(name_), settings_.max_addresses.value_or(100));
            std::string_view title = "Address";
            for (const std::string &address : split(all, '\n'))
                if (!address.empty())
                    line_below(std::exchange(title, ""), address);
        });
    }

    void operating_system() {
        try_part("OS", [&] {
            const auto fields = manager_.GetMachineOSRelease(name_);
            if (const auto found = fields.find("PRETTY_NAME"); found != fields.end())
                line("OS", style::printable(found->second));
        });
    }

    void unit() {
        line("Unit", text("Unit"));
        if (leader_ == 0)
            return;
        try_part("Unit", [&] {
            const std::string group = unit_cgroup(leader_, property<std::string>(properties_, "Unit"));
            if (pidfd::has_exited(pidfd_.get()))
                return;
            usage(group);
            std::fputs(cgroup_tree(group, tree_indent, columns()).c_str(), stdout);
        });
    }

    static void usage(const std::string &group) {
        const Usage usage = cgroup_usage(group);
        if (usage.tasks)
            line("Tasks", std::to_string(*usage.tasks)
                              + (usage.tasks_limit ? berth::format(" (limit: {})", *usage.tasks_limit) : ""));
        if (usage.memory) {
            std::string more;
            if (usage.memory_limit)
                more += "max: " + size_text(*usage.memory_limit);
            if (usage.memory_peak)
                more += (more.empty() ? "" : ", ") + ("peak: " + size_text(*usage.memory_peak));
            line("Memory", size_text(*usage.memory) + (more.empty() ? "" : " (" + more + ")"));
        }
        if (usage.cpu)
            line("CPU", span_text(*usage.cpu));
    }

    void log() const {
        const std::string unit = property<std::string>(properties_, "Unit");
        if (unit.empty() || settings_.lines == 0)
            return;
        std::string lines;
        try {
            for (const journal::Entry &entry :
                 journal::last({.unit = unit,
                                .machine_id = id_text(property<std::vector<std::uint8_t>>(properties_, "Id")),
                                .since = since_,
                                .most = settings_.lines}))
                lines += log_text(entry, settings_.output, columns());
        } catch (const Error &error) {
            lines = style::grey(berth::format("({})", error.what())) + "\n";
        }
        if (!lines.empty())
            std::fputs(("\n" + lines).c_str(), stdout);
    }

    [[nodiscard]] std::size_t columns() const { return settings_.full ? unlimited : style::columns(); }

    Manager &manager_;
    const Settings &settings_;
    std::string name_;
    Properties properties_;
    std::uint64_t since_ = 0;
    pid_t leader_ = 0;
    unique_fd pidfd_;
};

std::vector<std::string> running(Manager &manager) {
    std::vector<std::string> names;
    for (const auto &machine : manager.ListMachines())
        if (const std::string &name = machine.get<0>(); !name.starts_with('.'))
            names.push_back(name);
    return names;
}

} // namespace

int status(const Invocation &invocation) {
    const auto connection = connect();
    Manager manager(*connection);
    const auto names = invocation.arguments.empty() ? running(manager) : invocation.arguments;
    bool first = true;
    return for_each_name(names, [&](const std::string &name) {
        Report report(*connection, manager, invocation.settings, name);
        if (!std::exchange(first, false))
            std::fputs("\n", stdout);
        report.print();
    });
}

} // namespace berth::cli
