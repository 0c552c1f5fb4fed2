// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/bpf.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>

#include "base/error.hpp"

namespace berth::seccomp {

namespace {

/// A word of the machine; empty when it depends on what we do not know.
using Word = std::optional<std::uint32_t>;

/// More points than any filter comes to that is not made to keep us busy: machines make filters too.
constexpr std::size_t max_states = std::size_t{4} * BPF_MAXINSNS;

/// A point that a run may come to.
struct State {
    std::size_t next = 0; ///< the instruction to run
    Word accumulator = 0;
    Word index = 0;
    std::array<Word, BPF_MEMWORDS> memory{};

    auto operator<=>(const State &) const = default;
};

class Machine {
public:
    Machine(const Program &program, const seccomp_data &call, bool arguments_known)
        : program_(program), arguments_known_(arguments_known) {
        std::memcpy(words_.data(), &call, sizeof call);
    }

    /// All answers that there are ways to. Jumps lead forward only, so taking the states in order
    /// of their instruction meets each of them once, however many ways lead to it.
    [[nodiscard]] std::set<Answer> run() {
        states_.emplace();
        for (std::size_t seen = 0; !states_.empty(); ++seen) {
            if (seen == max_states)
                fail("the filter has more ways through it than are followed here");
            State state = states_.extract(states_.begin()).value();
            if (state.next >= program_.size())
                fail("the filter runs past its end at instruction {}", state.next);
            const sock_filter &instruction = program_[state.next++];
            step(instruction, state);
        }
        return std::move(answers_);
    }

private:
    void step(const sock_filter &instruction, State &state) {
        switch (BPF_CLASS(instruction.code)) {
        case BPF_LD: state.accumulator = loaded(instruction, state); break;
        case BPF_LDX: state.index = loaded(instruction, state); break;
        case BPF_ST: slot(state, instruction) = state.accumulator; break;
        case BPF_STX: slot(state, instruction) = state.index; break;
        case BPF_ALU: state.accumulator = computed(instruction, state); break;
        case BPF_MISC:
            if (BPF_MISCOP(instruction.code) == BPF_TAX)
                state.index = state.accumulator;
            else
                state.accumulator = state.index;
            break;
        case BPF_JMP: jump(instruction, state); return;
        default: // BPF_RET
            end(instruction, state);
            return;
        }
        states_.insert(state);
    }

    [[noreturn]] static void refuse(const sock_filter &instruction) {
        fail("the filter has an instruction that filters of system calls cannot have (code {:#x})",
             instruction.code);
    }

    [[nodiscard]] static Word &slot(State &state, const sock_filter &instruction) {
        if (instruction.k >= state.memory.size())
            refuse(instruction);
        return state.memory[instruction.k];
    }

    [[nodiscard]] Word loaded(const sock_filter &instruction, State &state) const {
        switch (BPF_MODE(instruction.code)) {
        case BPF_IMM: return instruction.k;
        case BPF_MEM: return slot(state, instruction);
        case BPF_LEN: return static_cast<std::uint32_t>(sizeof(seccomp_data));
        case BPF_ABS: return call_word(instruction);
        default: refuse(instruction);
        }
    }

    [[nodiscard]] Word call_word(const sock_filter &instruction) const {
        if (instruction.k % sizeof(std::uint32_t) != 0 || instruction.k >= sizeof(seccomp_data))
            refuse(instruction);
        if (!arguments_known_ && instruction.k >= offsetof(seccomp_data, instruction_pointer))
            return std::nullopt;
        return words_[instruction.k / sizeof(std::uint32_t)];
    }

    [[nodiscard]] static Word operand(const sock_filter &instruction, const State &state) {
        return BPF_SRC(instruction.code) == BPF_X ? state.index : Word(instruction.k);
    }

    [[nodiscard]] static Word computed(const sock_filter &instruction, const State &state) {
        const Word &a = state.accumulator;
        const unsigned operation = BPF_OP(instruction.code);
        const Word b = operation == BPF_NEG ? Word(0) : operand(instruction, state);
        // Nothing is left of a word under an empty mask, whatever it was.
        if (operation == BPF_AND && ((a && *a == 0) || (b && *b == 0)))
            return 0;
        if (!a || !b)
            return std::nullopt;
        return computed(instruction, operation, *a, *b);
    }

    [[nodiscard]] static std::uint32_t computed(const sock_filter &instruction, unsigned operation,
                                                std::uint32_t a, std::uint32_t b) {
        switch (operation) {
        case BPF_ADD: return a + b;
        case BPF_SUB: return a - b;
        case BPF_MUL: return a * b;
        case BPF_DIV: return b == 0 ? 0 : a / b;
        case BPF_AND: return a & b;
        case BPF_OR: return a | b;
        case BPF_XOR: return a ^ b;
        case BPF_LSH: return a << (b & 31U);
        case BPF_RSH: return a >> (b & 31U);
        case BPF_NEG: return 0U - a;
        default: refuse(instruction);
        }
    }

    void jump(const sock_filter &instruction, State &state) {
        if (BPF_OP(instruction.code) == BPF_JA) {
            state.next += instruction.k;
            states_.insert(state);
            return;
        }
        const Word b = operand(instruction, state);
        const std::optional<bool> holds = state.accumulator && b
                                              ? std::optional(compare(instruction, *state.accumulator, *b))
                                              : std::nullopt;
        for (const bool way : {true, false}) {
            if (holds.value_or(way) != way)
                continue;
            State then = state;
            then.next += way ? instruction.jt : instruction.jf;
            states_.insert(then);
        }
    }

    [[nodiscard]] static bool compare(const sock_filter &instruction, std::uint32_t a, std::uint32_t b) {
        switch (BPF_OP(instruction.code)) {
        case BPF_JEQ: return a == b;
        case BPF_JGT: return a > b;
        case BPF_JGE: return a >= b;
        case BPF_JSET: return (a & b) != 0;
        default: refuse(instruction);
        }
    }

    void end(const sock_filter &instruction, const State &state) {
        const Word answer = BPF_RVAL(instruction.code) == BPF_A ? state.accumulator : Word(instruction.k);
        if (!answer)
            fail("the filter computes its answer from the arguments, which is not understood here");
        answers_.insert(*answer);
    }

    const Program &program_;
    bool arguments_known_;
    std::array<std::uint32_t, sizeof(seccomp_data) / sizeof(std::uint32_t)> words_{};
    std::set<State> states_;
    std::set<Answer> answers_;
};

/// The kernel compares actions as signed numbers: less is stricter.
[[nodiscard]] std::int32_t leniency(Answer answer) noexcept {
    return static_cast<std::int32_t>(answer & SECCOMP_RET_ACTION_FULL);
}

/// Of `newer` and `older` programs' answers the one that counts.
[[nodiscard]] Answer stricter(Answer newer, Answer older) noexcept {
    return leniency(older) < leniency(newer) ? older : newer;
}

} // namespace

Answer evaluate(const Program &program, const seccomp_data &call) {
    return *Machine(program, call, true).run().begin();
}

Answer evaluate(const Programs &programs, const seccomp_data &call) {
    Answer answer = SECCOMP_RET_ALLOW;
    for (const Program &program : programs | std::views::reverse)
        answer = stricter(answer, evaluate(program, call));
    return answer;
}

std::set<Answer> possible_answers(const Programs &programs, std::uint32_t architecture, int number) {
    const seccomp_data call{.nr = number, .arch = architecture, .instruction_pointer = 0, .args = {}};
    std::set<Answer> all{SECCOMP_RET_ALLOW};
    for (const Program &program : programs | std::views::reverse) {
        std::set<Answer> combined;
        for (const Answer older : Machine(program, call, false).run())
            for (const Answer newer : all)
                combined.insert(stricter(newer, older));
        all = std::move(combined);
    }
    return all;
}

} // namespace berth::seccomp
