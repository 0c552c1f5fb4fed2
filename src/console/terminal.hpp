// SPDX-License-Identifier: LGPL-2.1-or-later
// Pseudo terminals (pty(7)) and what goes on between one and the terminal a person sits at.
#pragma once

#include <termios.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/systemd_handles.hpp"
#include "base/unique_fd.hpp"
#include "console/background.hpp"

namespace berth::terminal {

struct Pty {
    unique_fd master; ///< non-blocking
    unique_fd slave;  ///< blocking
};

/// Opens a new pty of the devpts instance at /dev/pts: that of the tree behind the descriptor
/// `root`, else that of our own root. The tree is not trusted: what does not turn out to be the
/// kernel's ptmx device is refused before it is opened. Needs our own /proc.
[[nodiscard]] Pty open_pty(std::optional<int> root = std::nullopt);

/// True when the terminal is ours and another process group has it at present: who sets its modes then is
/// stopped (SIGTTOU).
[[nodiscard]] bool in_background(int fd) noexcept;

/// Puts the terminal behind a descriptor into raw mode, and back when it goes.
class RawMode {
public:
    enum class Direction : std::uint8_t {
        both,   ///< input and output
        output, ///< output only; line editing and signal keys stay
    };
    RawMode(int fd, Direction direction);
    ~RawMode() { leave(); }
    RawMode(const RawMode &) = delete;
    RawMode &operator=(const RawMode &) = delete;

    /// Raw now; also after somebody else changed the modes.
    void enter() noexcept;
    /// As it was before.
    void leave() noexcept;

private:
    int fd_;
    termios before_{};
    termios raw_{};
    bool active_ = false;
};

/// A file descriptor that we did not open, read and written without blocking and without harm to
/// those who share it: terminals and pipes are opened anew, sockets are told so at each call; for
/// what is left the flag is set, and restored when this goes.
class SharedStream {
public:
    /// `access`: O_RDONLY or O_WRONLY. A closed `fd` is taken: then good() is false.
    SharedStream(int fd, int access);
    ~SharedStream();
    SharedStream(const SharedStream &) = delete;
    SharedStream &operator=(const SharedStream &) = delete;

    [[nodiscard]] bool good() const noexcept { return fd_ >= 0; }
    [[nodiscard]] bool is_terminal() const noexcept { return terminal_; }
    [[nodiscard]] int get() const noexcept { return fd_; }

    /// As read(2) and write(2). A closed pipe raises no signal where that can be had.
    ssize_t read(char *bytes, std::size_t size) const noexcept;
    ssize_t write(const char *bytes, std::size_t size) const noexcept;

private:
    unique_fd own_;
    int fd_ = -1;
    bool terminal_ = false;
    bool socket_ = false;
    std::optional<int> flags_before_;
};

/// Bytes on their way. Never grows.
class Buffer {
public:
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] bool full() const noexcept { return end_ == bytes_.size(); }
    [[nodiscard]] std::string_view content() const noexcept {
        return {bytes_.data() + begin_, end_ - begin_};
    }
    /// Reads into the free part at the end, by a function like read(2) without its descriptor.
    template <class Read> ssize_t fill(Read read) noexcept {
        const ssize_t n = read(bytes_.data() + end_, bytes_.size() - end_);
        end_ += n > 0 ? static_cast<std::size_t>(n) : 0;
        return n;
    }
    /// Writes what is there, by a function like write(2) without its descriptor.
    template <class Write> ssize_t drain(Write write) noexcept {
        const ssize_t n = write(bytes_.data() + begin_, end_ - begin_);
        begin_ += n > 0 ? static_cast<std::size_t>(n) : 0;
        if (empty())
            clear();
        return n;
    }
    void append(char byte) noexcept { bytes_[end_++] = byte; }
    /// There has to be room for it.
    void append(std::string_view text) noexcept {
        end_ += text.copy(bytes_.data() + end_, bytes_.size() - end_);
    }
    void clear() noexcept { begin_ = end_ = 0; }

    static constexpr std::size_t capacity = 8192;

private:
    std::array<char, capacity> bytes_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

/// Why forwarding came to its end.
enum class End : std::uint8_t {
    hang_up,       ///< nobody has the slave open any more
    escape,        ///< ^] three times within a second
    input_failed,  ///< our terminal is gone, or reading from stdin failed
    output_failed, ///< stdout cannot be written to (a closed pipe, a full disk)
    drained,       ///< after drain(): everything has been written
};

struct ForwardOptions {
    bool read_only = false;     ///< do not read stdin
    bool end_on_hang_up = true; ///< false for a console, which a booting OS opens and closes
    bool reads_escape = true;   ///< take ^] ^] ^] from a terminal as the wish to leave
    std::string background;     ///< colour for our terminal, see Background
};

/// Forwards between our stdin and stdout and the master of a pty, as sources of an event loop.
///
/// - Our terminal is in raw mode meanwhile; its size is copied to the pty, also when it changes.
/// - A background colour is shown meanwhile on a terminal that is our stdout.
/// - Stopped by SIGTSTP and continued, it gives our terminal back and takes it again.
/// - End of file on a stdin that is not a terminal sends the pty's end-of-file character.
/// - stdin may be closed or /dev/null; either may be a pipe or a file.
///
/// The owner ignores SIGPIPE, and turns the signals that are to end it into the end of the loop.
class Forward {
public:
    using Options = ForwardOptions;

    /// `master` stays the owner's and is non-blocking. `ended` is called once, from the loop;
    /// it must not destroy this.
    Forward(sd_event *event, int master, Options options, std::function<void(End)> ended);
    ~Forward();
    Forward(const Forward &) = delete;
    Forward &operator=(const Forward &) = delete;

    /// Call it when the payload has ended: no more input; what the pty still holds is written,
    /// then the end is `drained` (or `output_failed`), whatever those write that it has left behind.
    void drain();

    /// The errno value behind input_failed and output_failed.
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    void add_io(int fd, std::uint32_t events, EventSourcePtr &source);
    void add_signal(int signal, sd_event_signal_handler_t handler);
    static int on_io(sd_event_source *source, int fd, std::uint32_t events, void *self);
    static int on_again(sd_event_source *source, void *self);
    static int on_resize(sd_event_source *source, const signalfd_siginfo *info, void *self);
    static int on_stop(sd_event_source *source, const signalfd_siginfo *info, void *self);
    static int on_continue(sd_event_source *source, const signalfd_siginfo *info, void *self);

    void copy_size() const noexcept;
    void take_terminal() noexcept;
    void give_terminal() noexcept;
    /// Writes past what is waiting to be written; gives up when the terminal takes nothing.
    void tell_terminal(std::string_view text) const noexcept;

    /// Moves bytes until nothing can be moved, or for long enough.
    void pump();
    bool pump_once();
    bool read_input();
    bool write_master();
    bool read_master();
    ssize_t read_to_output();
    bool write_output();
    void input_ended();
    void append_end_of_file(char byte);
    [[nodiscard]] bool escaped(std::string_view typed) noexcept;
    void end(End reason);

    sd_event *event_;
    int master_;
    Options options_;
    std::function<void(End)> ended_;

    SharedStream input_;
    SharedStream output_;
    std::optional<RawMode> input_mode_;
    std::optional<RawMode> output_mode_;
    Background background_;
    bool given_ = false; ///< the terminal is not ours at the moment

    // What the last event said; cleared when the kernel says EAGAIN. The sources are edge-triggered:
    // a pty whose slave is closed would else report its hang-up over and over.
    bool input_readable_ = false;
    bool output_writable_ = false;
    bool master_readable_ = true;
    bool master_writable_ = true;

    bool reading_input_ = false;
    std::optional<char> end_of_file_; ///< to be sent once all input has been written
    char last_byte_ = '\n';           ///< of what was written to the pty
    bool hung_up_ = false;
    bool draining_ = false;
    std::size_t left_ = 0; ///< while draining: how much may still come
    bool over_ = false;
    int error_ = 0;
    std::uint64_t escape_since_ = 0; ///< microseconds, CLOCK_MONOTONIC
    unsigned escape_count_ = 0;

    Buffer to_master_;
    Buffer to_output_;

    EventSourcePtr input_source_;
    EventSourcePtr output_source_;
    EventSourcePtr master_source_;
    EventSourcePtr again_source_;
    std::vector<EventSourcePtr> signal_sources_;
};

} // namespace berth::terminal
