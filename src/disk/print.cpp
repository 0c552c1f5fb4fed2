// SPDX-License-Identifier: LGPL-2.1-or-later
#include "disk/print.hpp"

#include <cstdio>
#include <string_view>
#include <vector>

#include "base/format.hpp"
#include "base/json.hpp"
#include "cli/format.hpp"
#include "cli/style.hpp"
#include "cli/table.hpp"
#include "disk/partition_types.hpp"

namespace berth::disk {

namespace {

std::string_view scheme_text(Scheme scheme) {
    switch (scheme) {
    case Scheme::gpt: return "gpt";
    case Scheme::mbr: return "mbr";
    case Scheme::none: break;
    }
    return "none";
}

Json or_null(const std::string &text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

/// What the partition is called in the table's own terms: root partitions of other architectures
/// and partitions that no machine gets have names, too.
std::string type_text(const Partition &partition) {
    const auto known = partition_type(partition.type);
    if (!known)
        return partition.type;
    return known->architecture.empty() ? std::string(known->designator)
                                       : berth::format("{} ({})", known->designator, known->architecture);
}

Json partition_json(const Table &table, const Choice &choice, std::size_t at) {
    const Partition &partition = table.partitions[at];
    const Use *use = choice.use_of(at);
    const Content &content = partition.content;
    return {
        {"designator", or_null(use != nullptr ? use->designator : designator_of(table, partition))},
        {"number", partition.number != 0 ? Json(partition.number) : Json(nullptr)},
        {"type", or_null(partition.type)},
        {"filesystem", or_null(content.type)},
        {"label", or_null(partition.label)},
        {"uuid", or_null(partition.uuid)},
        {"filesystem_label", or_null(content.label)},
        {"filesystem_uuid", or_null(content.uuid)},
        {"offset", partition.offset},
        {"size", partition.size},
        {"read_only", use != nullptr ? use->read_only : (partition.flags & gpt_read_only) != 0},
        {"grow", (partition.flags & gpt_grow) != 0},
        {"used_as", use != nullptr ? Json(use->path) : Json(nullptr)},
        {"problem", use != nullptr ? or_null(use->problem) : Json(nullptr)},
    };
}

std::string content_text(const Content &content) {
    return content.ambiguous ? "(several)" : content.type;
}

std::string use_text(const Use *use) {
    if (use == nullptr)
        return {};
    return use->path + (use->read_only ? " (read-only)" : "");
}

} // namespace

std::string dissection_json(const std::string &name, std::uint64_t size, const Table &table,
                            const Choice &choice) {
    Json partitions = Json::array();
    for (std::size_t at = 0; at < table.partitions.size(); ++at)
        partitions.push_back(partition_json(table, choice, at));
    const Json all{{"image", name},
                   {"size", size},
                   {"table", scheme_text(table.scheme)},
                   {"uuid", or_null(table.uuid)},
                   {"sector_size", table.sector_size},
                   {"problem", or_null(choice.first_problem())},
                   {"partitions", std::move(partitions)}};
    return json_text(all); // labels are any bytes
}

void print_dissection(const std::string &name, std::uint64_t size, const Table &table, const Choice &choice) {
    std::printf("%s: %s, %s\n\n", cli::style::printable(name).c_str(), cli::size_text(size).c_str(),
                table.scheme == Scheme::none  ? "one filesystem"
                : table.scheme == Scheme::gpt ? "GPT"
                                              : "MBR");
    cli::Table rows(
        {{"DESIGNATOR"}, {"NUMBER"}, {"TYPE"}, {"FILESYSTEM"}, {"LABEL"}, {"UUID"}, {"SIZE"}, {"USED AS"}});
    for (std::size_t at = 0; at < table.partitions.size(); ++at) {
        const Partition &partition = table.partitions[at];
        const Use *use = choice.use_of(at);
        rows.add({use != nullptr ? use->designator : designator_of(table, partition),
                  partition.number != 0 ? std::to_string(partition.number) : "", type_text(partition),
                  content_text(partition.content), partition.label, partition.uuid,
                  cli::size_text(partition.size), use_text(use)});
    }
    rows.print({}, "partitions");
    if (!choice.problem.empty())
        std::printf("\nProblem: %s\n", cli::style::printable(choice.problem).c_str());
    for (const Use &use : choice.uses)
        if (!use.problem.empty())
            std::printf("\nProblem: %s\n", cli::style::printable(use.problem).c_str());
}

} // namespace berth::disk
