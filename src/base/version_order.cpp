// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/version_order.hpp"

namespace berth {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void drop_ignored(std::string_view &text) {
    constexpr std::string_view marks = "-.~^";
    while (!text.empty() && !is_digit(text.front()) && !is_letter(text.front())
           && !marks.contains(text.front()))
        text.remove_prefix(1);
}

std::string_view take_while(std::string_view &text, bool (*belongs)(char)) {
    std::size_t length = 0;
    while (length < text.size() && belongs(text[length]))
        ++length;
    const std::string_view taken = text.substr(0, length);
    text.remove_prefix(length);
    return taken;
}

std::weak_ordering number_order(std::string_view &a, std::string_view &b) {
    const auto number = [](std::string_view &text) {
        std::string_view digits = take_while(text, is_digit);
        while (digits.starts_with('0'))
            digits.remove_prefix(1);
        return digits;
    };
    const std::string_view x = number(a);
    const std::string_view y = number(b);
    return x.size() != y.size() ? x.size() <=> y.size() : x <=> y;
}

} // namespace

std::weak_ordering version_order(std::string_view a, std::string_view b) {
    for (;;) {
        drop_ignored(a);
        drop_ignored(b);
        // A tilde comes before everything, even before the end.
        if (a.starts_with('~') != b.starts_with('~'))
            return a.starts_with('~') ? std::weak_ordering::less : std::weak_ordering::greater;
        if (!a.starts_with('~') && (a.empty() || b.empty()))
            return a.size() <=> b.size();
        bool separated = false;
        for (const char mark : {'~', '-', '^', '.'}) {
            if (a.starts_with(mark) != b.starts_with(mark))
                return a.starts_with(mark) ? std::weak_ordering::less : std::weak_ordering::greater;
            if (a.starts_with(mark)) {
                a.remove_prefix(1);
                b.remove_prefix(1);
                separated = true;
                break;
            }
        }
        if (separated)
            continue;
        const auto order = is_digit(a.front()) || is_digit(b.front())
                               ? number_order(a, b)
                               : std::weak_ordering(take_while(a, is_letter) <=> take_while(b, is_letter));
        if (order != 0)
            return order;
    }
}

} // namespace berth
