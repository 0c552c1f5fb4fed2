// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/partition_types.hpp"

#include <systemd/sd-gpt.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/format.hpp"
#include "base/parse.hpp"

namespace berth::disk {

namespace {

struct Known {
    std::string id; ///< 32 hexadecimal digits
    PartitionType type;
};

std::string digits(const sd_id128_t &id) {
    std::string text;
    for (const std::uint8_t byte : id.bytes)
        text += berth::format("{:02x}", byte);
    return text;
}

Fit fit_of(const sd_id128_t &root) {
    const auto is = [&root](const sd_id128_t &other) {
        return std::memcmp(root.bytes, other.bytes, sizeof root.bytes) == 0;
    };
#ifdef SD_GPT_ROOT_NATIVE
    if (is(SD_GPT_ROOT_NATIVE))
        return Fit::native;
#endif
#ifdef SD_GPT_ROOT_SECONDARY
    if (is(SD_GPT_ROOT_SECONDARY))
        return Fit::secondary;
#endif
    return Fit::foreign;
}

struct Architecture {
    std::string_view name;
    sd_id128_t root, root_verity, root_signature;
    sd_id128_t usr, usr_verity, usr_signature;
};

#define ARCHITECTURE(name, word)                                                                             \
    Architecture {                                                                                           \
        name, SD_GPT_ROOT_##word, SD_GPT_ROOT_##word##_VERITY, SD_GPT_ROOT_##word##_VERITY_SIG,              \
            SD_GPT_USR_##word, SD_GPT_USR_##word##_VERITY, SD_GPT_USR_##word##_VERITY_SIG                    \
    }

// Named as in ConditionArchitecture= of systemd.unit(5).
std::vector<Architecture> architectures() {
    return {
        ARCHITECTURE("alpha", ALPHA),     ARCHITECTURE("arc", ARC),
        ARCHITECTURE("arm", ARM),         ARCHITECTURE("arm64", ARM64),
        ARCHITECTURE("ia64", IA64),       ARCHITECTURE("loongarch64", LOONGARCH64),
        ARCHITECTURE("mips-le", MIPS_LE), ARCHITECTURE("mips64-le", MIPS64_LE),
        ARCHITECTURE("parisc", PARISC),   ARCHITECTURE("ppc", PPC),
        ARCHITECTURE("ppc64", PPC64),     ARCHITECTURE("ppc64-le", PPC64_LE),
        ARCHITECTURE("riscv32", RISCV32), ARCHITECTURE("riscv64", RISCV64),
        ARCHITECTURE("s390", S390),       ARCHITECTURE("s390x", S390X),
        ARCHITECTURE("tilegx", TILEGX),   ARCHITECTURE("x86", X86),
        ARCHITECTURE("x86-64", X86_64),
    };
}

#undef ARCHITECTURE

std::vector<Known> make_known() {
    std::vector<Known> known;
    for (const Architecture &each : architectures()) {
        const Fit fit = fit_of(each.root);
        const auto add = [&](const sd_id128_t &id, std::string_view designator) {
            known.push_back({digits(id), {designator, each.name, fit}});
        };
        add(each.root, "root");
        add(each.root_verity, "root-verity");
        add(each.root_signature, "root-verity-sig");
        add(each.usr, "usr");
        add(each.usr_verity, "usr-verity");
        add(each.usr_signature, "usr-verity-sig");
    }
    const auto add = [&](const sd_id128_t &id, std::string_view designator) {
        known.push_back({digits(id), {designator, {}, Fit::native}});
    };
    add(SD_GPT_HOME, "home");
    add(SD_GPT_SRV, "srv");
    add(SD_GPT_VAR, "var");
    add(SD_GPT_TMP, "tmp");
    add(SD_GPT_ESP, "esp");
    add(SD_GPT_XBOOTLDR, "xbootldr");
    add(SD_GPT_SWAP, "swap");
    add(SD_GPT_USER_HOME, "user-home");
    add(SD_GPT_LINUX_GENERIC, "linux-generic");
    return known;
}

const std::vector<Known> &known_types() {
    static const std::vector<Known> known = make_known();
    return known;
}

const Known *native_root() {
    const auto at = std::ranges::find_if(known_types(), [](const Known &known) {
        return known.type.designator == "root" && known.type.fit == Fit::native;
    });
    return at == known_types().end() ? nullptr : &*at;
}

} // namespace

std::optional<PartitionType> partition_type(std::string_view uuid) {
    const auto id = parse_id128(uuid);
    if (!id)
        return std::nullopt;
    const auto at = std::ranges::find(known_types(), *id, &Known::id);
    return at == known_types().end() ? std::nullopt : std::optional(at->type);
}

std::string_view mount_path(std::string_view designator) {
    constexpr std::array<std::array<std::string_view, 2>, 8> paths{{{"root", "/"},
                                                                    {"usr", "/usr"},
                                                                    {"home", "/home"},
                                                                    {"srv", "/srv"},
                                                                    {"var", "/var"},
                                                                    {"tmp", "/var/tmp"},
                                                                    {"xbootldr", "/boot"},
                                                                    {"esp", "/efi"}}};
    for (const auto &[name, path] : paths)
        if (name == designator)
            return path;
    return {};
}

bool is_versioned(std::string_view designator) {
    return designator == "root" || designator == "usr";
}

std::string_view native_root_type() {
    static const std::string uuid = native_root() != nullptr ? uuid_of(native_root()->id) : "(none defined)";
    return uuid;
}

std::string_view native_architecture() {
    return native_root() != nullptr ? native_root()->type.architecture : "this architecture";
}

} // namespace berth::disk
