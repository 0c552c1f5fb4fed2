// SPDX-License-Identifier: LGPL-2.1-or-later
#include "peer_differences.hpp"

#include <array>

namespace berth::test {

namespace {

constexpr std::array table{
    Difference{"", "env container", "the name of the manager"},
};

} // namespace

std::span<const Difference> peer_differences() {
    return table;
}

} // namespace berth::test
