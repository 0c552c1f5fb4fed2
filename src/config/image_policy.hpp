// SPDX-License-Identifier: LGPL-2.1-or-later
// Which partitions of a disk image may be used, and how protected they have to be:
// systemd.image-policy(7).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

class ImagePolicy {
public:
    /// What is allowed for a partition; several are alternatives.
    enum Flag : unsigned {
        verity = 1U << 0,
        signature = 1U << 1, ///< "signed"
        encrypted = 1U << 2,
        unprotected = 1U << 3,
        unused = 1U << 4,
        absent = 1U << 5,
        read_only_off = 1U << 6,
        read_only_on = 1U << 7,
        growfs_off = 1U << 8,
        growfs_on = 1U << 9,
    };
    using Flags = unsigned;

    static constexpr Flags used = verity | signature | encrypted | unprotected; ///< there, and used
    static constexpr Flags ignore = unused | absent;
    static constexpr Flags open = used | ignore;

    static constexpr std::array<std::string_view, 13> partitions{"root",
                                                                 "usr",
                                                                 "home",
                                                                 "srv",
                                                                 "esp",
                                                                 "xbootldr",
                                                                 "swap",
                                                                 "root-verity",
                                                                 "root-verity-sig",
                                                                 "usr-verity",
                                                                 "usr-verity-sig",
                                                                 "tmp",
                                                                 "var"};

    /// What systemd-nspawn has for its images unless told otherwise.
    static constexpr std::string_view standard =
        "root=verity+signed+encrypted+unprotected+absent:usr=verity+signed+encrypted+unprotected+absent:"
        "home=encrypted+unprotected+absent:srv=encrypted+unprotected+absent:"
        "tmp=encrypted+unprotected+absent:var=encrypted+unprotected+absent:"
        "esp=unprotected+absent:xbootldr=unprotected+absent";

    /// Throws Error that says what is wrong with `text`.
    explicit ImagePolicy(std::string_view text = standard);

    /// What is allowed for `partition`, one of `partitions`; of each pair ("on" and "off") one is
    /// set at least. With nothing of open, it can neither be there nor be missing.
    [[nodiscard]] Flags flags(std::string_view partition) const;

    /// As it was written.
    [[nodiscard]] const std::string &text() const { return text_; }

private:
    void add_rule(std::string_view rule);
    [[nodiscard]] std::optional<Flags> derived(std::string_view partition) const;

    std::string text_;
    std::array<std::optional<Flags>, partitions.size()> rules_; ///< with the pairs filled up
    std::optional<Flags> default_;
};

} // namespace berth
