// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/policy.hpp"

#include <array>
#include <utility>
#include <vector>

#include "base/format.hpp"
#include "config/values.hpp"

namespace berth::disk {

namespace {

using Flags = ImagePolicy::Flags;

std::string_view protection_text(Flags protection) {
    if ((protection & ImagePolicy::encrypted) != 0)
        return "is encrypted";
    return (protection & ImagePolicy::verity) != 0 ? "is protected by dm-verity" : "is not protected";
}

std::string wanted_text(Flags flags) {
    constexpr std::array<std::pair<Flags, std::string_view>, 4> names{{
        {ImagePolicy::verity, "verity"},
        {ImagePolicy::signature, "signed"},
        {ImagePolicy::encrypted, "encrypted"},
        {ImagePolicy::unprotected, "unprotected"},
    }};
    std::vector<std::string_view> wanted;
    for (const auto &[flag, name] : names)
        if ((flags & flag) != 0)
            wanted.push_back(name);
    return values::list_of(wanted);
}

/// What there is against a flag of the partition's being `set`.
std::string flag_objection(bool set, Flags flags, Flags on, Flags off, std::string_view flag,
                           std::string_view quoted) {
    if ((flags & (set ? on : off)) != 0)
        return {};
    return berth::format("{} the {} flag, which {} does not allow", set ? "has" : "does not have", flag,
                         quoted);
}

} // namespace

bool may_use(const ImagePolicy &policy, std::string_view designator) {
    if ((policy.flags(designator) & ImagePolicy::used) == 0)
        return false;
    const std::size_t end = designator.find("-verity");
    if (end == std::string_view::npos)
        return true;
    // Hashes are of use only to those who want them checked.
    const Flags needing = designator.ends_with("-sig") ? Flags{ImagePolicy::signature}
                                                       : Flags{ImagePolicy::verity | ImagePolicy::signature};
    return (policy.flags(designator.substr(0, end)) & needing) != 0;
}

std::string objection(const ImagePolicy &policy, std::string_view designator,
                      const std::optional<Appearance> &found) {
    const Flags flags = policy.flags(designator);
    const std::string quoted = berth::format("the image policy \"{}\"", policy.text());
    if (!found)
        return (flags & ImagePolicy::absent) != 0
                   ? ""
                   : berth::format("has no partition for {}, which {} demands", designator, quoted);
    if (!may_use(policy, designator))
        return (flags & ImagePolicy::unused) != 0
                   ? ""
                   : berth::format("is there, which {} does not allow", quoted);
    if ((flags & found->protection) == 0)
        return berth::format("{}, but {} wants it to be {}", protection_text(found->protection), quoted,
                             wanted_text(flags));
    const std::string read_only = flag_objection(found->read_only, flags, ImagePolicy::read_only_on,
                                                 ImagePolicy::read_only_off, "read-only", quoted);
    return !read_only.empty() ? read_only
                              : flag_objection(found->grow, flags, ImagePolicy::growfs_on,
                                               ImagePolicy::growfs_off, "growfs", quoted);
}

} // namespace berth::disk
