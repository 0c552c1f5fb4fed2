// SPDX-License-Identifier: LGPL-2.1-or-later
// An init for tests, linked statically so that it runs in any tree. Its first argument says how it
// behaves:
//   ready     says READY=1 at once
//   hold      says READY=1 once it gets SIGUSR1, and "STATUS=still holding" at SIGUSR2
//   exit N    exits with N, without having been ready
//   lie NAME… puts itself under a filter by which the system calls of these names do nothing and succeed,
//             says "up", and waits
//   vfork     says "up", and waits in vfork(2) for a child that never ends
//   unshare   goes into a network namespace of its own at SIGUSR2
//   status    prints its /proc/self/status, and that is all: no init then, but a program that keeps
//             whatever its exec gave it
// It obeys the signals of systemd(1), and notes each of its boots as a line of /boots.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace {

/// sd_notify(3).
void notify(std::string_view text) {
    const char *path = ::getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe): one thread
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || fd < 0)
        return;
    ::strncpy(static_cast<char *>(address.sun_path), path, sizeof address.sun_path - 1);
    if (::sendto(fd, text.data(), text.size(), 0, reinterpret_cast<const sockaddr *>(&address),
                 sizeof address)
        < 0)
        ::perror("notify");
    ::close(fd);
}

void note_boot() {
    const int fd = ::open("/boots", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || ::write(fd, "boot\n", 5) != 5)
        ::perror("/boots"); // a read-only root
    ::close(fd);
}

[[noreturn]] void end(int command) {
    ::reboot(command);
    ::perror("reboot");
    ::_exit(99);
}

/// As it is: without giving anything up, as programs that are set-uid do.
[[noreturn]] void print_status() {
    const int fd = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    std::array<char, 8192> text{};
    const ssize_t size = ::read(fd, text.data(), text.size());
    const bool printed = size > 0 && ::write(STDOUT_FILENO, text.data(), static_cast<size_t>(size)) == size;
    ::_exit(printed ? 0 : 1);
}

struct Call {
    std::string_view name;
    unsigned number;
};
constexpr std::array calls{Call{"setresuid", SYS_setresuid}, Call{"setresgid", SYS_setresgid},
                           Call{"setgroups", SYS_setgroups}, Call{"capset", SYS_capset},
                           Call{"prctl", SYS_prctl},         Call{"setsid", SYS_setsid},
                           Call{"clone3", SYS_clone3},       Call{"ioctl", SYS_ioctl}};

void say_up() {
    if (::write(STDOUT_FILENO, "up\n", 3) != 3)
        ::_exit(98);
}

[[noreturn]] void wait_for_ever() {
    for (;;)
        ::pause();
}

/// SECCOMP_RET_ERRNO with 0 for an error: done, without doing it.
[[noreturn]] void lie(int count, char *names[]) {
    std::array<sock_filter, 2 * calls.size() + 2> program{};
    unsigned short length = 0;
    program[length++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
    for (int i = 0; i < count; ++i) {
        const auto *const call = std::ranges::find(calls, std::string_view(names[i]), &Call::name);
        if (call == calls.end())
            ::_exit(97);
        program[length++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, 1);
        program[length++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO);
    }
    program[length++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog filter{.len = length, .filter = program.data()};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0
        && (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
            || ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0))
        ::_exit(96);
    say_up();
    wait_for_ever();
}

[[noreturn]] void wait_in_vfork() {
    say_up();
    if (::vfork() == 0) // NOLINT(clang-analyzer-security.insecureAPI.vfork): that is the point
        wait_for_ever();
    ::_exit(95);
}

[[noreturn]] void unshare_when_told() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    say_up();
    while (::sigwaitinfo(&set, nullptr) != SIGUSR2) { // whoever stops us interrupts it
    }
    if (::unshare(CLONE_NEWNET) < 0)
        ::_exit(94);
    wait_for_ever();
}

[[noreturn]] void serve(const sigset_t &signals) {
    for (;;) {
        const int signal = ::sigwaitinfo(&signals, nullptr);
        if (signal == SIGCHLD)
            while (::waitpid(-1, nullptr, WNOHANG) > 0) {
            }
        else if (signal == SIGUSR1)
            notify("READY=1");
        else if (signal == SIGUSR2)
            notify("STATUS=still holding");
        else if (signal == SIGINT || signal == SIGRTMIN + 5)
            end(RB_AUTOBOOT);
        else if (signal == SIGRTMIN + 4)
            end(RB_POWER_OFF);
        else if (signal == SIGRTMIN + 3)
            end(RB_HALT_SYSTEM);
    }
}

} // namespace

int main(int argc, char *argv[]) {
    if (argc > 1 && std::string_view(argv[1]) == "status")
        print_status();
    if (argc > 1 && std::string_view(argv[1]) == "lie")
        lie(argc - 2, argv + 2);
    if (argc > 1 && std::string_view(argv[1]) == "vfork")
        wait_in_vfork();
    if (argc > 1 && std::string_view(argv[1]) == "unshare")
        unshare_when_told();
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGCHLD, SIGUSR1, SIGUSR2, SIGINT, SIGRTMIN + 3, SIGRTMIN + 4, SIGRTMIN + 5})
        ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    note_boot();
    const std::string_view what = argc > 1 ? argv[1] : "ready";
    ::dprintf(STDOUT_FILENO, "test init: %s\n", what.data());
    if (what == "exit")
        ::_exit(argc > 2 ? static_cast<int>(::strtol(argv[2], nullptr, 10)) : 0);
    notify(what == "hold" ? "STATUS=holding" : "READY=1");
    ::dprintf(STDOUT_FILENO, "test init is up\n");
    serve(signals);
}
