// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/proc_stat.hpp"

#include <sys/sysmacros.h>

#include "base/parse.hpp"

namespace berth::proc_stat {

Fields::Fields(std::string_view text) {
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close + 2 > text.size())
        return;
    name_ = text.substr(open + 1, close - open - 1);
    from_state_ = split(trim(text.substr(close + 2)), ' ');
}

std::string_view Fields::text(std::size_t field) const noexcept {
    return field >= state && field - state < from_state_.size() ? std::string_view(from_state_[field - state])
                                                                : std::string_view();
}

std::uint64_t Fields::number(std::size_t field) const noexcept {
    return parse_unsigned(text(field)).value_or(0);
}

std::uint64_t encoded(dev_t device) noexcept {
    const std::uint64_t low = ::minor(device);
    return (low & 0xffU) | (std::uint64_t{::major(device)} << 8U) | ((low & ~std::uint64_t{0xff}) << 12U);
}

} // namespace berth::proc_stat
