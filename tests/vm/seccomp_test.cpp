// SPDX-License-Identifier: LGPL-2.1-or-later
// Filters of system calls for 32-bit programs, which the virtual machine's kernel runs.
#include <gtest/gtest.h>

#include "support/seccomp_probe.hpp"

namespace berth::test {

#if defined(__x86_64__)
namespace {

constexpr long getpid_i386 = 20;
constexpr long reboot_i386 = 88;
constexpr long socketcall_i386 = 102;
constexpr long swapoff_i386 = 115;

/// The call `number` of 32-bit programs, made by a 64-bit one.
long call_i386(long number, long first) {
    long result = 0;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(0), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    if (result >= 0)
        return result;
    errno = static_cast<int>(-result);
    return -1;
}

/// A body for under().
auto call(long number, long first = 0) {
    return [number, first] { return call_i386(number, first); };
}

} // namespace

TEST(SeccompI386, CallsOf32BitProgramsAreFilteredToo) {
    ASSERT_GT(under({}, call(getpid_i386)).result, 0) << "this kernel has to run 32-bit programs";
    EXPECT_GT(under(filter({}), call(getpid_i386)).result, 0);
    EXPECT_EQ(under({}, call(swapoff_i386)), failed(EFAULT)); // the kernel's answer
    EXPECT_EQ(under(filter({}), call(swapoff_i386)), failed(EPERM));
    EXPECT_EQ(under(filter({"swapoff:kill"}), call(swapoff_i386)), killed);
    EXPECT_EQ(under(filter({"~reboot"}), call(reboot_i386)), failed(EPERM));
}

TEST(SeccompI386, SocketCallsAreToldApart) {
    constexpr long bind_case = 2;
    constexpr long listen_case = 4;
    EXPECT_EQ(under(filter({"~bind"}), call(socketcall_i386, bind_case)), failed(EPERM));
    EXPECT_EQ(under(filter({"~bind"}), call(socketcall_i386, listen_case)), failed(EFAULT)); // the kernel's
}
#endif

} // namespace berth::test
