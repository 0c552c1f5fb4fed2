// SPDX-License-Identifier: LGPL-2.1-or-later
// What can be learnt from inside a machine. A machine can make each of these last as long as it
// likes (a file system of its own that does not answer), hence the child processes.
#include "base/error.hpp"
#include "berthd/child.hpp"
#include "berthd/operations.hpp"
#include "bus/errors.hpp"

namespace berth {

namespace {

constexpr auto patience = std::chrono::seconds(5);

/// Anyone may ask, and a machine that does not answer may keep a child for as long as it lives.
constexpr unsigned most_children = 8;

/// A child that looks into `machine`.
struct Look {
    MachinePtr machine;
    Counted counted;

    explicit Look(MachinePtr into) : machine(std::move(into)), counted(machine->looking) {}
};

} // namespace

Task<std::string> Operations::look_inside(MachinePtr machine, std::string what,
                                          std::string (*look)(int leader)) {
    const std::string doing = "machine \"" + machine->record.name + "\": reading its " + what;
    if (machine->looking >= most_children)
        throw bus_error::make(bus_error::limits_exceeded, "{}: too many such requests are under way", doing);
    const int leader = machine->leader.get();
    const auto child = std::make_shared<Look>(machine);
    co_return co_await in_child(
        loop_, doing, leader, patience, [look, leader] { return look(leader); }, child);
}

Task<os_release::Fields> Operations::os_release(std::string name) {
    const MachinePtr machine = get(name);
    if (machine->record.kind != "container")
        throw bus_error::make(bus_error::not_supported,
                              "machine \"{}\" is a virtual machine: its files cannot be seen from outside",
                              name);
    co_return os_release::parse(co_await look_inside(machine, "os-release", os_release::read));
}

Task<std::vector<addresses::Address>> Operations::addresses(std::string name) {
    co_return addresses::decode(co_await look_inside(get(name), "addresses", addresses::join_and_read));
}

} // namespace berth
