// SPDX-License-Identifier: LGPL-2.1-or-later
// A background colour for all that goes to a terminal: --background= of systemd-nspawn(1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::terminal {

/// Wherever a stream of text sets the background back to the terminal's own, the colour is set
/// again. Nothing is held back: sequences may come in any number of pieces.
/// See ECMA-48, 8.3.117 (SGR), and console_codes(4).
class Background {
public:
    /// `colour`: parameters of SGR, such as "44". Empty: the text stays as it is.
    explicit Background(std::string_view colour) : colour_(colour) {}

    [[nodiscard]] bool on() const noexcept { return !colour_.empty(); }

    /// What the terminal is told first: the colour, for the rest of the line too.
    [[nodiscard]] std::string begin() const;
    /// What it is told at last; `cut_off`: less was written than filter() returned.
    [[nodiscard]] std::string end(bool cut_off) const;

    /// The next piece of the text.
    [[nodiscard]] std::string filter(std::string_view text);

    /// How long what filter() makes of `size` bytes can be: two of them may reset the terminal, one
    /// may end what an earlier piece began, and "48;2;255;255;255" is the longest colour.
    [[nodiscard]] static constexpr std::size_t longest(std::size_t size) {
        return size + (size / 2 + 1) * std::string_view("\x1b[48;2;255;255;255m").size();
    }

private:
    enum class State : std::uint8_t {
        text,
        escape,        ///< after ESC
        intermediate,  ///< after ESC and an intermediate byte
        control,       ///< within a control sequence (CSI)
        other_control, ///< within one that cannot be SGR
        string,        ///< within a control string (OSC, DCS and their like)
        string_escape, ///< after ESC in one
    };

    void step(char byte, std::string &out);
    void after_escape(char byte, std::string &out);
    void in_control(char byte, std::string &out);
    void begin_control();
    void end_parameter();
    [[nodiscard]] std::string colour_sequence() const { return "\x1b[" + colour_ + "m"; }

    std::string colour_;
    State state_ = State::text;

    // Of the control sequence that is being read.
    unsigned value_ = 0;        ///< of the parameter so far
    bool has_parts_ = false;    ///< it is one like "38:5:1"
    bool wants_kind_ = false;   ///< the next parameter says how many more make a colour
    unsigned colour_parts_ = 0; ///< parameters that are still part of a colour
    bool lost_ = false;         ///< the background is the terminal's own after this
    bool soft_reset_ = false;   ///< the last was "!": CSI ! p is DECSTR
};

} // namespace berth::terminal
