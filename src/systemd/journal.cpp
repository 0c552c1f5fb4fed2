// SPDX-License-Identifier: LGPL-2.1-or-later
#include "systemd/journal.hpp"

#include <algorithm>
#include <string_view>

#include "base/error.hpp"
#include "base/systemd_handles.hpp"

namespace berth::journal {

namespace {

void require(int r, std::string_view doing) {
    if (r < 0)
        fail_code(-r, "{}", doing);
}

void add_match(sd_journal *journal, std::string_view field, const std::string &value) {
    const std::string match = std::string(field) + "=" + value;
    require(sd_journal_add_match(journal, match.data(), match.size()), "selecting journal entries");
}

void add_or(sd_journal *journal) {
    require(sd_journal_add_disjunction(journal), "selecting journal entries");
}

/// The machine's own journal can be told from ours by its ID alone; a machine that has ours (its
/// tree was copied from the host's) cannot.
bool is_other_machine(const std::string &id) {
    sd_id128_t ours{};
    if (id.empty() || sd_id128_get_machine(&ours) < 0)
        return false;
    char text[SD_ID128_STRING_MAX]; // NOLINT(modernize-avoid-c-arrays): the type the function takes
    return id != sd_id128_to_string(ours, text);
}

Entry read_entry(sd_journal *journal) {
    Entry entry;
    sd_id128_t boot{};
    require(sd_journal_get_realtime_usec(journal, &entry.realtime), "reading a journal entry");
    sd_journal_get_monotonic_usec(journal, &entry.monotonic, &boot);
    const void *data = nullptr;
    std::size_t size = 0;
    SD_JOURNAL_FOREACH_DATA(journal, data, size) {
        const std::string_view field(static_cast<const char *>(data), size);
        const auto at = field.find('=');
        if (at != std::string_view::npos)
            entry.fields.emplace(field.substr(0, at), field.substr(at + 1));
    }
    return entry;
}

} // namespace

std::string Entry::field(const std::string &name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
}

std::vector<Entry> last(const Query &query) {
    std::vector<Entry> entries;
    if (query.most == 0)
        return entries;
    const bool both = is_other_machine(query.machine_id);
    sd_journal *opened = nullptr;
    const int r = sd_journal_open(&opened, both ? 0 : SD_JOURNAL_LOCAL_ONLY);
    if (r == -ENOENT)
        return entries;
    require(r, "opening the journal");
    const JournalPtr journal(opened);
    add_match(opened, "_SYSTEMD_UNIT", query.unit);
    add_or(opened);
    add_match(opened, "UNIT", query.unit);
    add_match(opened, "_PID", "1");
    if (both) {
        add_or(opened);
        add_match(opened, "_MACHINE_ID", query.machine_id);
    }
    require(sd_journal_seek_tail(opened), "going to the journal's end");
    while (entries.size() < query.most) {
        const int found = sd_journal_previous(opened);
        require(found, "reading the journal");
        if (found == 0)
            break;
        Entry entry = read_entry(opened);
        if (entry.realtime < query.since)
            break;
        entries.push_back(std::move(entry));
    }
    std::ranges::reverse(entries);
    return entries;
}

} // namespace berth::journal
