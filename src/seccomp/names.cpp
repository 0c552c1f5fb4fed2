// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/names.hpp"

#include <seccomp.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "base/error.hpp"

namespace berth::seccomp {

namespace {

struct Free {
    void operator()(char *text) const noexcept { ::free(text); }
};

[[nodiscard]] std::vector<std::string> others_of(std::uint32_t native) {
    switch (native) {
    case SCMP_ARCH_X86_64: return {"x86", "x32"};
    case SCMP_ARCH_AARCH64: return {"arm"};
    case SCMP_ARCH_S390X: return {"s390"};
    case SCMP_ARCH_PPC64: return {"ppc"};
    case SCMP_ARCH_MIPS64: return {"mips", "mips64n32"};
    case SCMP_ARCH_MIPSEL64: return {"mipsel", "mipsel64n32"};
    default: return {};
    }
}

[[nodiscard]] std::string name_of(std::uint32_t token) {
    for (const char *name :
         {"x86",      "x86_64",      "x32",  "arm",    "aarch64",   "loongarch64", "m68k",     "mipsel",
          "mipsel64", "mipsel64n32", "mips", "mips64", "mips64n32", "parisc",      "parisc64", "ppc",
          "ppc64",    "ppc64le",     "s390", "s390x",  "sheb",      "sh",          "riscv64"})
        if (::seccomp_arch_resolve_name(name) == token)
            return name;
    fail("libseccomp does not know the architecture {:#x}", token);
}

[[nodiscard]] Architecture architecture(std::uint32_t token, std::string name) {
    // x32 programs show filters the architecture of 64-bit ones, and a bit in the number.
    const std::uint32_t audit = token == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : token;
    return {.token = token, .audit = audit, .name = std::move(name)};
}

/// Bit 30 marks the calls of x32.
constexpr int x32_base = 0x40000000;

/// Larger than any call's number in the tables of the architectures here, which begin at `base`.
constexpr int numbers = 1024;

[[nodiscard]] int base_of(std::uint32_t token) noexcept {
    switch (token) {
    case SCMP_ARCH_X32: return x32_base;
    case SCMP_ARCH_MIPS:
    case SCMP_ARCH_MIPSEL: return 4000;
    case SCMP_ARCH_MIPS64:
    case SCMP_ARCH_MIPSEL64: return 5000;
    case SCMP_ARCH_MIPS64N32:
    case SCMP_ARCH_MIPSEL64N32: return 6000;
    default: return 0;
    }
}

} // namespace

std::vector<Architecture> architectures() {
    const std::uint32_t native = ::seccomp_arch_native();
    std::vector<Architecture> all{architecture(native, name_of(native))};
    for (const std::string &name : others_of(native))
        all.push_back(architecture(::seccomp_arch_resolve_name(name.c_str()), name));
    return all;
}

std::map<int, std::string> call_names(const Architecture &architecture) {
    std::map<int, std::string> names;
    const int base = base_of(architecture.token);
    for (int number = base; number < base + numbers; ++number) {
        const std::unique_ptr<char, Free> name(
            ::seccomp_syscall_resolve_num_arch(architecture.token, number));
        if (name)
            names.emplace(number, name.get());
    }
    return names;
}

bool is_call_name(const std::string &name) {
    return ::seccomp_syscall_resolve_name(name.c_str()) != __NR_SCMP_ERROR;
}

std::uint32_t library_version() {
    const scmp_version *version = ::seccomp_version();
    if (version == nullptr)
        fail("libseccomp does not tell its version");
    return version->major << 16U | version->minor << 8U | version->micro;
}

} // namespace berth::seccomp
