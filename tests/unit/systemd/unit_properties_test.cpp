// SPDX-License-Identifier: LGPL-2.1-or-later
// What goes into the message is read back out of it.
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <array>

#include "base/systemd_handles.hpp"
#include "base/unique_fd.hpp"
#include "expect_error.hpp"
#include "systemd/unit_properties.hpp"

using namespace berth;
using berth::test::error_of;

namespace {

class Message {
public:
    Message() {
        sd_bus *bus = nullptr;
        EXPECT_GE(::sd_bus_new(&bus), 0);
        bus_.reset(bus);
        // Nobody is at the other end; a message wants a bus that is started, no more.
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
        peer_.reset(ends[1]);
        EXPECT_GE(::sd_bus_set_fd(bus, ends[0], ends[0]), 0);
        EXPECT_GE(::sd_bus_start(bus), 0);
        sd_bus_message *message = nullptr;
        EXPECT_GE(::sd_bus_message_new(bus, &message, SD_BUS_MESSAGE_METHOD_CALL), 0);
        message_.reset(message);
        EXPECT_GE(::sd_bus_message_open_container(message, 'a', "(sv)"), 0);
    }

    sd_bus_message *get() { return message_.get(); }

private:
    unique_fd peer_;
    std::unique_ptr<sd_bus, Releases<sd_bus_close_unref>> bus_;
    BusMessagePtr message_;
};

std::string property_error(const char *assignment) {
    Message message;
    return error_of([&] { unit_properties::append(message.get(), assignment); });
}

} // namespace

TEST(UnitProperties, TakesWhatUnitsTake) {
    for (const char *assignment : {"MemoryMax=64M",
                                   "MemoryMax=20%",
                                   "MemoryHigh=infinity",
                                   "TasksMax=100",
                                   "TasksMax=10%",
                                   "CPUQuota=20%",
                                   "CPUWeight=idle",
                                   "CPUWeight=500",
                                   "AllowedCPUs=0-1,3",
                                   "DeviceAllow=/dev/null rw",
                                   "KillSignal=SIGTERM",
                                   "RuntimeMaxSec=5min",
                                   "After=a.service b.service",
                                   "Description=x y",
                                   "IOReadBandwidthMax=/dev/vda 10M",
                                   "MemoryAccounting=yes",
                                   "DisableControllers=cpu io",
                                   "IODeviceWeight=/dev/vda 200",
                                   "IODeviceLatencyTargetSec=/dev/vda 25ms",
                                   "IPAddressAllow=192.0.2.0/24 2001:db8::1 localhost",
                                   "IPAddressDeny=any",
                                   "ManagedOOMMemoryPressureLimit=60%",
                                   "StartupMemoryMax=1G",
                                   "StartupAllowedCPUs=0"}) {
        Message message;
        EXPECT_NO_THROW(unit_properties::append(message.get(), assignment)) << assignment;
    }
}

TEST(UnitProperties, RefusesTheRest) {
    EXPECT_THAT(property_error("MemroyMax=1"), testing::HasSubstr("did you mean \"MemoryMax\"?"));
    EXPECT_THAT(property_error("MemoryMax=lots"), testing::HasSubstr("unit property MemoryMax: \"lots\""));
    for (const char *bad :
         {"TasksMax=-1", "CPUWeight=0", "CPUWeight=10001", "CPUQuota=5", "AllowedCPUs=3-1", "KillSignal=x",
          "RuntimeMaxSec=x", "MemoryMax=120%", "MemoryAccounting=perhaps", "IOReadBandwidthMax=10M"})
        property_error(bad);
}
