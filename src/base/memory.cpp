// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/memory.hpp"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

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

} // namespace berth
