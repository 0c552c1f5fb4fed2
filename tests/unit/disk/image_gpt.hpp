// SPDX-License-Identifier: LGPL-2.1-or-later
// Disk images with a GPT, made byte by byte so that any of them can be wrong.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/io.hpp"
#include "base/parse.hpp"
#include "base/unique_fd.hpp"

namespace berth::test {

/// UEFI's: polynomial 0x04c11db7, reflected.
inline std::uint32_t crc32(const unsigned char *data, std::size_t length) {
    std::uint32_t crc = 0xffffffff;
    for (std::size_t i = 0; i < length; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
    return ~crc;
}

struct GptEntry {
    std::string type; ///< UUID
    std::uint64_t first = 0;
    std::uint64_t last = 0; ///< inclusive
    std::uint64_t flags = 0;
    std::string name; ///< ASCII
};

class GptImage {
public:
    static constexpr std::uint64_t first_usable = 34;
    static constexpr std::size_t entry_count = 128;
    static constexpr std::size_t entry_size = 128;

    explicit GptImage(const std::vector<GptEntry> &entries, std::uint64_t sectors = 8192,
                      std::size_t sector = 512)
        : sector_(sector), sectors_(sectors), data_(sectors * sector) {
        data_[446 + 4] = 0xee;
        put<std::uint32_t>(446 + 8, 1);
        put<std::uint32_t>(446 + 12, static_cast<std::uint32_t>(sectors - 1));
        data_[510] = 0x55;
        data_[511] = 0xaa;
        for (std::size_t i = 0; i < entries.size(); ++i)
            set_entry(i, entries[i]);
        make_header(1, sectors - 1, 2);
        make_header(sectors - 1, 1, sectors - 1 - table_sectors());
        sign();
    }

    void set_entry(std::size_t index, const GptEntry &entry) {
        const std::size_t at = 2 * sector_ + index * entry_size;
        put_uuid(at, entry.type);
        put_uuid(at + 16, "aaaaaaaa-0000-0000-0000-00000000000" + std::to_string(index % 10));
        put<std::uint64_t>(at + 32, entry.first);
        put<std::uint64_t>(at + 40, entry.last);
        put<std::uint64_t>(at + 48, entry.flags);
        for (std::size_t i = 0; i < entry.name.size() && i < 36; ++i)
            data_[at + 56 + 2 * i] = static_cast<unsigned char>(entry.name[i]);
    }

    template <class Value> void put(std::uint64_t at, Value value) {
        std::memcpy(data_.data() + at, &value, sizeof value); // tests run on little endian
    }

    /// Makes the checksums right, for whatever primary header and entries say now; the copy becomes
    /// what they are.
    void sign() {
        const std::size_t table = std::size_t{entry_count} * entry_size;
        std::memcpy(data_.data() + (sectors_ - 1 - table_sectors()) * sector_, data_.data() + 2 * sector_,
                    table);
        for (const std::uint64_t at : {sector_, (sectors_ - 1) * sector_}) {
            std::uint32_t count = 0;
            std::uint32_t size = 0;
            std::memcpy(&count, data_.data() + at + 80, sizeof count);
            std::memcpy(&size, data_.data() + at + 84, sizeof size);
            const std::uint64_t length = std::uint64_t{count} * size;
            if (2 * sector_ + length <= data_.size())
                put(at + 88, crc32(data_.data() + 2 * sector_, length));
            put<std::uint32_t>(at + 16, 0);
            put(at + 16, crc32(data_.data() + at, 92));
        }
    }

    /// An ext4 that libblkid recognizes, in that sector: no more than a superblock.
    void put_ext4(std::uint64_t sector) {
        const std::uint64_t at = sector * sector_ + 1024;
        put<std::uint32_t>(at + 0x04, 1024); // blocks
        put<std::uint16_t>(at + 0x38, 0xef53);
        put<std::uint32_t>(at + 0x4c, 1);    // revision
        put<std::uint32_t>(at + 0x5c, 0x4);  // has a journal
        put<std::uint32_t>(at + 0x60, 0x42); // filetype, extents
        put<std::uint32_t>(at + 0xe0, 8);
    }

    void put_text(std::uint64_t at, std::string_view text) {
        std::memcpy(data_.data() + at, text.data(), text.size());
    }

    [[nodiscard]] std::vector<unsigned char> &data() { return data_; }
    [[nodiscard]] std::size_t sector() const { return sector_; }

    [[nodiscard]] unique_fd file() const {
        unique_fd fd(::memfd_create("image", MFD_CLOEXEC));
        if (!fd)
            fail_errno("creating a memfd");
        write_all(fd.get(), {reinterpret_cast<const char *>(data_.data()), data_.size()}, "image");
        return fd;
    }

private:
    [[nodiscard]] std::uint64_t table_sectors() const { return entry_count * entry_size / sector_; }

    void make_header(std::uint64_t own, std::uint64_t other, std::uint64_t entries) {
        const std::uint64_t at = own * sector_;
        put_text(at, "EFI PART");
        put<std::uint32_t>(at + 8, 0x10000);
        put<std::uint32_t>(at + 12, 92);
        put<std::uint64_t>(at + 24, own);
        put<std::uint64_t>(at + 32, other);
        put<std::uint64_t>(at + 40, first_usable);
        put<std::uint64_t>(at + 48, sectors_ - 2 - table_sectors());
        put_uuid(at + 56, "dddddddd-0000-0000-0000-000000000000");
        put<std::uint64_t>(at + 72, entries);
        put<std::uint32_t>(at + 80, entry_count);
        put<std::uint32_t>(at + 84, entry_size);
    }

    /// The first three fields of a UUID are little endian in a GPT.
    void put_uuid(std::uint64_t at, const std::string &uuid) {
        const std::string digits = parse_id128(uuid).value();
        constexpr std::size_t order[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
        for (std::size_t i = 0; i < 16; ++i)
            data_[at + i] =
                static_cast<unsigned char>(std::stoul(digits.substr(order[i] * 2, 2), nullptr, 16));
    }

    std::size_t sector_;
    std::uint64_t sectors_;
    std::vector<unsigned char> data_;
};

inline constexpr const char *type_home = "933ac7e1-2eb4-4f13-b844-0e14e2aef915";
inline constexpr const char *type_srv = "3b8f8425-20e0-4f3b-907f-1a25a76f98e8";
inline constexpr const char *type_var = "4d21b016-b534-45c2-a9fb-5c16e091fd2d";
inline constexpr const char *type_tmp = "7ec6f557-3bc5-4aca-b293-16ef5df639d1";
inline constexpr const char *type_esp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
inline constexpr const char *type_xbootldr = "bc13c2ff-59e6-4262-a352-b275fd6f7172";
inline constexpr const char *type_swap = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f";
inline constexpr const char *type_linux = "0fc63daf-8483-4772-8e79-3d69d8477de4";

} // namespace berth::test
