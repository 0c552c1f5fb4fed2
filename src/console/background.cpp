// SPDX-License-Identifier: LGPL-2.1-or-later
#include "console/background.hpp"

namespace berth::terminal {

namespace {

constexpr char escape = 0x1b;
constexpr char bell = 0x07;
constexpr char cancel = 0x18; ///< ends whatever sequence a terminal is in
constexpr char substitute = 0x1a;

constexpr unsigned max_value = 10000; ///< larger parameters mean nothing to us

bool is_background(unsigned value) {
    return (value >= 40 && value <= 47) || (value >= 100 && value <= 107);
}

} // namespace

std::string Background::begin() const {
    return on() ? colour_sequence() + "\x1b[K" : "";
}

std::string Background::end(bool cut_off) const {
    if (!on())
        return {};
    return (cut_off || state_ != State::text ? std::string(1, cancel) : "") + "\x1b[0m\x1b[J";
}

std::string Background::filter(std::string_view text) {
    if (!on())
        return std::string(text);
    std::string out;
    out.reserve(text.size() * 2);
    for (const char byte : text)
        step(byte, out);
    return out;
}

void Background::step(char byte, std::string &out) {
    const bool in_string = state_ == State::string || state_ == State::string_escape;
    if (byte == cancel || byte == substitute) {
        state_ = State::text;
        out += byte;
    } else if (byte == escape) {
        state_ = in_string ? State::string_escape : State::escape;
        out += byte;
    } else if (state_ == State::string) {
        if (byte == bell)
            state_ = State::text;
        out += byte;
    } else if (state_ == State::text || (byte >= 0 && byte < 0x20) || byte == 0x7f) {
        out += byte; // control characters within a sequence are heeded there and then
    } else if (state_ == State::control || state_ == State::other_control) {
        in_control(byte, out);
    } else {
        after_escape(byte, out);
    }
}

void Background::after_escape(char byte, std::string &out) {
    out += byte;
    const bool starts = state_ == State::escape || state_ == State::string_escape;
    state_ = State::text;
    if (byte >= 0x20 && byte <= 0x2f) {
        state_ = State::intermediate;
    } else if (starts && byte == '[') {
        begin_control();
    } else if (starts && std::string_view("]PX^_").contains(byte)) {
        state_ = State::string;
    } else if (starts && byte == 'c') { // RIS
        out += colour_sequence();
    }
}

void Background::begin_control() {
    state_ = State::control;
    value_ = colour_parts_ = 0;
    has_parts_ = wants_kind_ = lost_ = soft_reset_ = false;
}

void Background::in_control(char byte, std::string &out) {
    const bool final = byte >= 0x40 && byte <= 0x7e;
    if (final && byte == 'm' && state_ == State::control) {
        end_parameter();
        if (lost_)
            out += ";" + colour_;
    }
    out += byte;
    if (final) {
        if (byte == 'p' && soft_reset_)
            out += colour_sequence();
        state_ = State::text;
    } else if (byte == ';') {
        end_parameter();
    } else if (byte == ':') {
        has_parts_ = true;
    } else if (byte >= '0' && byte <= '9') {
        if (!has_parts_ && value_ < max_value)
            value_ = value_ * 10 + static_cast<unsigned>(byte - '0');
    } else { // private or intermediate: no SGR
        soft_reset_ = byte == '!';
        state_ = State::other_control;
    }
}

void Background::end_parameter() {
    const unsigned value = value_;
    const bool has_parts = has_parts_;
    value_ = 0;
    has_parts_ = false;
    if (wants_kind_) {
        wants_kind_ = false;
        colour_parts_ = value == 5 ? 1 : value == 2 ? 3 : 0;
        return;
    }
    if (colour_parts_ > 0) {
        --colour_parts_;
        return;
    }
    if (value == 38 || value == 48 || value == 58)
        wants_kind_ = !has_parts;
    if (value == 0 || value == 49)
        lost_ = true;
    else if (value == 48 || is_background(value))
        lost_ = false;
}

} // namespace berth::terminal
