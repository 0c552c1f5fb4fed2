// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/image_policy.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using Flags = ImagePolicy::Flags;

constexpr std::array<std::pair<std::string_view, Flags>, 12> flag_names{{
    {"verity", ImagePolicy::verity},
    {"signed", ImagePolicy::signature},
    {"encrypted", ImagePolicy::encrypted},
    {"unprotected", ImagePolicy::unprotected},
    {"unused", ImagePolicy::unused},
    {"absent", ImagePolicy::absent},
    {"open", ImagePolicy::open},
    {"ignore", ImagePolicy::ignore},
    {"read-only-off", ImagePolicy::read_only_off},
    {"read-only-on", ImagePolicy::read_only_on},
    {"growfs-off", ImagePolicy::growfs_off},
    {"growfs-on", ImagePolicy::growfs_on},
}};

constexpr Flags read_only_pair = ImagePolicy::read_only_off | ImagePolicy::read_only_on;
constexpr Flags growfs_pair = ImagePolicy::growfs_off | ImagePolicy::growfs_on;

/// Nothing said of something is all of it.
Flags filled(Flags flags) {
    for (const Flags group : {ImagePolicy::open, read_only_pair, growfs_pair})
        if ((flags & group) == 0)
            flags |= group;
    return flags;
}

Flags parse_flags(std::string_view text) {
    Flags flags = 0;
    if (trim(text).empty())
        return flags;
    for (const std::string &word : split(text, '+'))
        flags |= values::choice(trim(word), flag_names);
    return flags;
}

/// What can be of that partition at all: it is the partitions beside root and usr that make verity,
/// and those are not encrypted themselves.
Flags possible(std::string_view partition) {
    if (partition == "root" || partition == "usr")
        return ~Flags{0};
    Flags never = ImagePolicy::verity | ImagePolicy::signature;
    if (partition.contains("-verity"))
        never |= ImagePolicy::encrypted;
    return ~never;
}

std::size_t index_of(std::string_view partition) {
    const auto at = std::ranges::find(ImagePolicy::partitions, partition);
    if (at == ImagePolicy::partitions.end())
        fail("\"{}\" is no partition: there are {}", partition,
             values::list_of({ImagePolicy::partitions.begin(), ImagePolicy::partitions.end()}));
    return static_cast<std::size_t>(at - ImagePolicy::partitions.begin());
}

/// The policies with names of their own.
std::string_view long_form(std::string_view text) {
    if (text == "*")
        return "=open";
    if (text == "-" || text.empty())
        return "=ignore";
    return text == "~" ? "=absent" : text;
}

} // namespace

ImagePolicy::ImagePolicy(std::string_view text) : text_(trim(text)) {
    for (const std::string &rule : split(long_form(text_), ':'))
        add_rule(rule);
}

void ImagePolicy::add_rule(std::string_view rule) {
    const std::size_t equals = rule.find('=');
    if (equals == std::string_view::npos)
        fail("\"{}\" is not of the form PARTITION=FLAG[+FLAG…]", rule);
    const std::string_view partition = trim(rule.substr(0, equals));
    std::optional<Flags> &flags = partition.empty() ? default_ : rules_.at(index_of(partition));
    if (flags)
        fail("there are two rules for {}", partition.empty() ? "all other partitions" : partition);
    flags = filled(parse_flags(rule.substr(equals + 1)));
}

/// What the rule for a partition demands of those that hold its hashes and their signature.
std::optional<Flags> ImagePolicy::derived(std::string_view partition) const {
    const std::size_t end = partition.find("-verity");
    if (end == std::string_view::npos)
        return std::nullopt;
    const std::optional<Flags> &data = rules_.at(index_of(partition.substr(0, end)));
    const Flags needing = partition.ends_with("-sig") ? Flags{signature} : Flags{verity | signature};
    if (!data || (*data & needing) == 0)
        return std::nullopt;
    return unprotected | (*data & ~used);
}

Flags ImagePolicy::flags(std::string_view partition) const {
    std::optional<Flags> flags = rules_.at(index_of(partition));
    if (!flags)
        flags = derived(partition);
    if (!flags)
        flags = default_;
    return flags.value_or(filled(ignore)) & possible(partition);
}

} // namespace berth
