// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/memory.hpp"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/proc_stat.hpp"

namespace berth {

namespace {

int release_object(dl_phdr_info *object, std::size_t /*size*/, void *data) {
    const auto page = *static_cast<std::uintptr_t *>(data);
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr) &segment = object->dlpi_phdr[i];
        // Writable segments hold what relocation and we ourselves wrote: those pages must stay.
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0)
            continue;
        const std::uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
        const std::uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz) & ~(page - 1);
        if (end > begin)
            (void)::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED); // NOLINT
    }
    return 0;
}

} // namespace

void release_code_pages() noexcept {
    auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    ::dl_iterate_phdr(release_object, &page);
}

void forget_arguments(std::string_view title) {
    const proc_stat::Fields fields(read_file("/proc/self/stat"));
    for (const std::size_t at : {proc_stat::arguments, proc_stat::environment}) {
        if (fields.text(at + 1).empty())
            fail("/proc/self/stat is not as proc_pid_stat(5) has it");
        const std::uint64_t begin = fields.number(at);
        const std::uint64_t end = fields.number(at + 1);
        if (begin == 0 || end <= begin)
            continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel's word
        auto *const place = reinterpret_cast<char *>(begin);
        std::memset(place, 0, end - begin);
        if (at == proc_stat::arguments)
            title.copy(place, end - begin - 1);
    }
}

} // namespace berth
