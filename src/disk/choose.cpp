// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/choose.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/format.hpp"
#include "base/version_order.hpp"
#include "disk/filesystem.hpp"
#include "disk/partition_types.hpp"
#include "disk/policy.hpp"

namespace berth::disk {

namespace {

constexpr std::string_view mbr_linux = "0x83";
constexpr std::string_view mbr_xbootldr = "0xea";

PartitionType type_of(const Table &table, const Partition &partition) {
    if (table.scheme == Scheme::gpt)
        return partition_type(partition.type).value_or(PartitionType{});
    if (table.scheme == Scheme::mbr && partition.type == mbr_linux)
        return {.designator = "linux-generic", .architecture = {}};
    if (table.scheme == Scheme::mbr && partition.type == mbr_xbootldr)
        return {.designator = "xbootldr", .architecture = {}};
    return {};
}

/// False for partitions that say they are to be left alone.
bool is_offered(const Partition &partition, std::string_view designator) {
    if (partition.label == "_empty") // how systemd-sysupdate marks room for a version to come
        return false;
    // UEFI has a bit of its own for its system partition.
    return (partition.flags & (designator == "esp" ? gpt_no_block_io : gpt_no_auto)) == 0;
}

class Chooser {
public:
    Chooser(const Table &table, std::string name, const ImagePolicy &policy)
        : table_(table), name_(std::move(name)), policy_(policy) {}

    Choice choose() {
        if (table_.scheme == Scheme::none) {
            take("root", 0);
            require_root(0);
            return std::move(choice_);
        }
        auto root = pick("root", std::nullopt);
        const auto usr = pick("usr", root ? std::optional(type(*root).fit) : std::nullopt);
        if (!root && !usr)
            root = generic_root();
        take("root", root);
        take("usr", usr);
        for (const std::string_view each : {"home", "srv", "var", "tmp", "xbootldr", "esp"})
            take(each, pick(each, std::nullopt));
        // Never mounted, but the policy may have something to say about them.
        for (const std::string_view each :
             {"swap", "root-verity", "root-verity-sig", "usr-verity", "usr-verity-sig"})
            check(each, pick(each, std::nullopt));
        require_root(root);
        return std::move(choice_);
    }

private:
    [[nodiscard]] PartitionType type(std::size_t at) const { return type_of(table_, table_.partitions[at]); }

    /// All offered partitions of that designator that can run here.
    [[nodiscard]] std::vector<std::size_t> all(std::string_view designator) const {
        std::vector<std::size_t> found;
        for (std::size_t at = 0; at < table_.partitions.size(); ++at)
            if (type(at).designator == designator && type(at).fit != Fit::foreign
                && is_offered(table_.partitions[at], designator))
                found.push_back(at);
        return found;
    }

    /// The best of them: of this architecture, then the newest, then the first.
    [[nodiscard]] std::optional<std::size_t> pick(std::string_view designator, std::optional<Fit> fit) const {
        std::optional<std::size_t> best;
        for (const std::size_t at : all(designator)) {
            if (fit && type(at).fit != *fit)
                continue;
            if (!best || type(at).fit > type(*best).fit
                || (type(at).fit == type(*best).fit && is_versioned(designator)
                    && version_order(table_.partitions[at].label, table_.partitions[*best].label) > 0))
                best = at;
        }
        return best;
    }

    /// The partition will be used as that, where there is one and the policy allows it.
    void take(std::string_view designator, std::optional<std::size_t> at) {
        check(designator, at);
        if (at && may_use(policy_, designator))
            use(*at, designator);
    }

    void check(std::string_view designator, std::optional<std::size_t> at) {
        const std::optional<Appearance> found =
            at ? std::optional(appearance(table_.partitions[*at], designator)) : std::nullopt;
        const std::string against = objection(policy_, designator, found);
        if (against.empty() || !choice_.problem.empty())
            return;
        choice_.problem = berth::format("{} {}", at ? called(*at, designator) : name_, against);
    }

    [[nodiscard]] Appearance appearance(const Partition &partition, std::string_view designator) const {
        Appearance seen{.protection = ImagePolicy::unprotected,
                        .read_only = (partition.flags & gpt_read_only) != 0,
                        .grow = (partition.flags & gpt_grow) != 0};
        const auto has = [&](std::string_view suffix) {
            const std::string hashes = berth::format("{}{}", designator, suffix);
            return !all(hashes).empty() && may_use(policy_, hashes);
        };
        if (partition.content.type == "crypto_LUKS")
            seen.protection = ImagePolicy::encrypted;
        else if (has("-verity"))
            seen.protection |= ImagePolicy::verity | (has("-verity-sig") ? ImagePolicy::signature : 0U);
        return seen;
    }

    /// There is no machine without a root. `at`: what would have been it.
    void require_root(std::optional<std::size_t> at) {
        if (!choice_.problem.empty() || std::ranges::contains(choice_.uses, "root", &Use::designator))
            return;
        if (at)
            choice_.problem =
                berth::format("{} is the root, which the image policy \"{}\" does not let be used",
                              called(*at, "root"), policy_.text());
        else if (pick("usr", std::nullopt))
            choice_.problem =
                berth::format("{} has a partition for /usr but none for the root: berth needs both", name_);
        else
            choice_.problem = no_root(!all("linux-generic").empty());
    }

    /// "partition 2 of NAME (home)"; where there are no partitions, the image alone.
    [[nodiscard]] std::string called(std::size_t at, std::string_view designator) const {
        return table_.scheme == Scheme::none
                   ? name_
                   : berth::format("{} ({})", call(table_.partitions[at], name_), designator);
    }

    void use(std::size_t at, std::string_view designator) {
        const Partition &partition = table_.partitions[at];
        const FilesystemType *known = filesystem_type(partition.content.type);
        choice_.uses.push_back(
            {.partition = at,
             .designator = std::string(designator),
             .path = std::string(mount_path(designator)),
             .read_only = (partition.flags & gpt_read_only) != 0 || (known != nullptr && known->read_only),
             .grow = (partition.flags & gpt_grow) != 0,
             .problem = problem(at, designator)});
    }

    /// One partition for Linux that nobody said more about. Of several in an MBR, the one that is
    /// marked bootable.
    [[nodiscard]] std::optional<std::size_t> generic_root() const {
        std::vector<std::size_t> generic = all("linux-generic");
        if (generic.size() > 1)
            if (auto bootable = generic;
                std::erase_if(bootable, [this](std::size_t at) { return !table_.partitions[at].bootable; })
                    > 0
                && bootable.size() == 1)
                generic = std::move(bootable);
        return generic.size() == 1 ? std::optional(generic.front()) : std::nullopt;
    }

    [[nodiscard]] std::string no_root(bool several) const {
        if (several && table_.scheme == Scheme::mbr)
            return berth::format(
                "{} has several Linux partitions, none or more than one of which is marked bootable: "
                "mark the root (sfdisk --activate)",
                name_);
        if (several)
            return berth::format(
                "{} has several Linux partitions, none of which is marked as the root: give one the type "
                "{} (sfdisk --part-type)",
                name_, native_root_type());
        for (const Partition &partition : table_.partitions)
            if (const PartitionType type = type_of(table_, partition);
                type.designator == "root" && type.fit == Fit::foreign)
                return berth::format("{} has a root partition for {} only, and this is {}", name_,
                                     type.architecture, native_architecture());
        if (table_.scheme == Scheme::mbr)
            return berth::format("{} has no Linux partition (type 0x83)", name_);
        return berth::format("{} has no root partition for {} (type {})", name_, native_architecture(),
                             native_root_type());
    }

    [[nodiscard]] std::string problem(std::size_t at, std::string_view designator) const {
        // Who wants it unprotected, and nothing else, gets it so.
        const bool verified =
            (policy_.flags(designator) & (ImagePolicy::verity | ImagePolicy::signature)) != 0;
        for (const std::string_view suffix : {"-verity", "-verity-sig"})
            if (const auto hashes = all(berth::format("{}{}", designator, suffix));
                verified && !hashes.empty())
                return berth::format(
                    "{} is protected by dm-verity (see partition {}), which berth cannot check: open it "
                    "with veritysetup, and give the mapped device as the image",
                    called(at, designator), table_.partitions[hashes.front()].number);
        const std::string what = content_problem(table_.partitions[at].content, designator);
        return what.empty() ? "" : berth::format("{} {}", called(at, designator), what);
    }

    const Table &table_;
    std::string name_;
    const ImagePolicy &policy_;
    Choice choice_;
};

} // namespace

std::string Choice::first_problem() const {
    if (!problem.empty())
        return problem;
    for (const Use &use : uses)
        if (!use.is_boot() && !use.problem.empty())
            return use.problem;
    return {};
}

const Use *Choice::use_of(std::size_t partition) const {
    const auto at = std::ranges::find(uses, partition, &Use::partition);
    return at == uses.end() ? nullptr : &*at;
}

Choice choose(const Table &table, const std::string &name, const ImagePolicy &policy) {
    return Chooser(table, name, policy).choose();
}

std::string call(const Partition &partition, const std::string &name) {
    return partition.number == 0 ? name : berth::format("partition {} of {}", partition.number, name);
}

std::string designator_of(const Table &table, const Partition &partition) {
    return std::string(type_of(table, partition).designator);
}

} // namespace berth::disk
