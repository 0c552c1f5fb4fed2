// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seccomp/bpf.hpp"

#include <linux/audit.h>

#include <cstddef>

#include "expect_error.hpp"

namespace berth::test {

namespace {

using seccomp::Answer;
using seccomp::evaluate;
using seccomp::possible_answers;
using seccomp::Program;
using seccomp::Programs;
using testing::ElementsAre;
using testing::HasSubstr;

sock_filter op(unsigned code, std::uint32_t k = 0, std::uint8_t jt = 0, std::uint8_t jf = 0) {
    return {.code = static_cast<std::uint16_t>(code), .jt = jt, .jf = jf, .k = k};
}

sock_filter load(std::size_t offset) {
    return op(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}

sock_filter ret(Answer answer) {
    return op(BPF_RET | BPF_K, answer);
}

constexpr Answer refused = SECCOMP_RET_ERRNO | 1;
constexpr Answer missing = SECCOMP_RET_ERRNO | 38;

seccomp_data call(int number, std::uint64_t first = 0) {
    return {.nr = number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = 0, .args = {first}};
}

/// Refuses call 5, and call 6 when the lower half of its first argument is 7.
Program sample() {
    return {
        load(offsetof(seccomp_data, nr)),
        op(BPF_JMP | BPF_JEQ | BPF_K, 5, 4, 0),
        op(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 2),
        load(offsetof(seccomp_data, args)),
        op(BPF_JMP | BPF_JEQ | BPF_K, 7, 1, 0),
        ret(SECCOMP_RET_ALLOW),
        ret(refused),
    };
}

/// What `operation` makes of 100 and `operand`, by answering it.
Answer computed(unsigned operation, std::uint32_t operand) {
    return evaluate(
        Program{op(BPF_LD | BPF_IMM, 100), op(BPF_ALU | operation | BPF_K, operand), op(BPF_RET | BPF_A)},
        call(0));
}

} // namespace

TEST(SeccompBpf, EvaluatesNumbersAndArguments) {
    EXPECT_EQ(evaluate(sample(), call(4, 7)), SECCOMP_RET_ALLOW);
    EXPECT_EQ(evaluate(sample(), call(5)), refused);
    EXPECT_EQ(evaluate(sample(), call(6, 7)), refused);
    EXPECT_EQ(evaluate(sample(), call(6, 8)), SECCOMP_RET_ALLOW);
    EXPECT_EQ(evaluate(sample(), call(6, 0x500000007)), refused);
}

TEST(SeccompBpf, TellsWhatDependsOnArguments) {
    EXPECT_THAT(possible_answers({sample()}, AUDIT_ARCH_X86_64, 4), ElementsAre(SECCOMP_RET_ALLOW));
    EXPECT_THAT(possible_answers({sample()}, AUDIT_ARCH_X86_64, 5), ElementsAre(refused));
    EXPECT_THAT(possible_answers({sample()}, AUDIT_ARCH_X86_64, 6), ElementsAre(refused, SECCOMP_RET_ALLOW));
}

TEST(SeccompBpf, AnEmptyMaskLeavesNothingUnknown) {
    const Program program{load(offsetof(seccomp_data, args)), op(BPF_ALU | BPF_AND | BPF_K, 0),
                          op(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), ret(SECCOMP_RET_ALLOW), ret(refused)};
    EXPECT_THAT(possible_answers({program}, AUDIT_ARCH_X86_64, 1), ElementsAre(SECCOMP_RET_ALLOW));
}

TEST(SeccompBpf, TheStrictestOfSeveralCounts) {
    const Programs programs{{ret(SECCOMP_RET_KILL_THREAD)}, {ret(refused)}, {ret(SECCOMP_RET_LOG)}};
    EXPECT_EQ(evaluate(programs, call(0)), SECCOMP_RET_KILL_THREAD);
    EXPECT_EQ(evaluate(Programs{{ret(SECCOMP_RET_KILL_PROCESS)}, {ret(SECCOMP_RET_KILL_THREAD)}}, call(0)),
              SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(evaluate(Programs{{ret(SECCOMP_RET_LOG)}, {ret(SECCOMP_RET_ALLOW)}}, call(0)), SECCOMP_RET_LOG);
    EXPECT_EQ(evaluate(Programs{}, call(0)), SECCOMP_RET_ALLOW);
}

TEST(SeccompBpf, OfEquallyStrictOnesTheLastInstalledCounts) {
    EXPECT_EQ(evaluate(Programs{{ret(refused)}, {ret(missing)}}, call(0)), missing);
    EXPECT_THAT(possible_answers({{ret(refused)}, {ret(missing)}}, AUDIT_ARCH_X86_64, 0),
                ElementsAre(missing));
}

TEST(SeccompBpf, CombinesWhatSeveralMayAnswer) {
    EXPECT_THAT(possible_answers({sample(), {ret(SECCOMP_RET_LOG)}}, AUDIT_ARCH_X86_64, 6),
                ElementsAre(refused, SECCOMP_RET_LOG));
}

TEST(SeccompBpf, Computes) {
    EXPECT_EQ(computed(BPF_ADD, 3), 103U);
    EXPECT_EQ(computed(BPF_SUB, 101), 0xffffffffU);
    EXPECT_EQ(computed(BPF_MUL, 3), 300U);
    EXPECT_EQ(computed(BPF_DIV, 7), 14U);
    EXPECT_EQ(computed(BPF_AND, 0x44), 0x44U);
    EXPECT_EQ(computed(BPF_OR, 3), 103U);
    EXPECT_EQ(computed(BPF_XOR, 100), 0U);
    EXPECT_EQ(computed(BPF_LSH, 2), 400U);
    EXPECT_EQ(computed(BPF_RSH, 2), 25U);
    EXPECT_EQ(computed(BPF_NEG, 0), 0U - 100U);
}

TEST(SeccompBpf, Compares) {
    const auto holds = [](unsigned comparison, std::uint32_t operand) {
        return evaluate(Program{op(BPF_LD | BPF_IMM, 100), op(BPF_JMP | comparison | BPF_K, operand, 0, 1),
                                ret(1), ret(0)},
                        call(0))
               == 1;
    };
    EXPECT_TRUE(holds(BPF_JGT, 99));
    EXPECT_FALSE(holds(BPF_JGT, 100));
    EXPECT_TRUE(holds(BPF_JGE, 100));
    EXPECT_FALSE(holds(BPF_JGE, 101));
    EXPECT_TRUE(holds(BPF_JSET, 4));
    EXPECT_FALSE(holds(BPF_JSET, 3));
}

TEST(SeccompBpf, HasMemoryAndAnIndex) {
    const Program program{
        op(BPF_LD | BPF_IMM, 40),
        op(BPF_ST, 15),
        op(BPF_LDX | BPF_IMM, 2),
        op(BPF_LD | BPF_MEM, 15),
        op(BPF_ALU | BPF_ADD | BPF_X),
        op(BPF_MISC | BPF_TAX),
        op(BPF_STX, 3),
        op(BPF_LD | BPF_IMM, 0),
        op(BPF_MISC | BPF_TXA),
        op(BPF_JMP | BPF_JA, 1),
        ret(1),
        op(BPF_RET | BPF_A),
    };
    EXPECT_EQ(evaluate(program, call(0)), 42U);
    EXPECT_EQ(evaluate(Program{op(BPF_LD | BPF_LEN), op(BPF_RET | BPF_A)}, call(0)), sizeof(seccomp_data));
}

TEST(SeccompBpf, GivesUpOnFiltersMadeToKeepItBusy) {
    // Each bit of an argument is added up, so that all 2^32 sums would have to be followed.
    Program program;
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
        program.push_back(load(offsetof(seccomp_data, args)));
        program.push_back(op(BPF_JMP | BPF_JSET | BPF_K, 1U << bit, 0, 3));
        program.push_back(op(BPF_LD | BPF_MEM, 0));
        program.push_back(op(BPF_ALU | BPF_ADD | BPF_K, 1U << bit));
        program.push_back(op(BPF_ST, 0));
    }
    program.push_back(ret(SECCOMP_RET_ALLOW));
    program.insert(program.begin(), {op(BPF_LD | BPF_IMM, 0), op(BPF_ST, 0)});
    EXPECT_EQ(evaluate(program, call(0, 0xffffffff)), SECCOMP_RET_ALLOW);
    EXPECT_THAT(error_of([&] { (void)possible_answers({program}, AUDIT_ARCH_X86_64, 0); }),
                HasSubstr("more ways through it"));
}

TEST(SeccompBpf, RefusesWhatTheKernelWould) {
    EXPECT_THAT(error_of([] { (void)evaluate(Program{load(0)}, call(0)); }), HasSubstr("past its end"));
    EXPECT_THAT(error_of([] { (void)evaluate(Program{load(2), ret(0)}, call(0)); }),
                HasSubstr("cannot have"));
    EXPECT_THAT(error_of([] { (void)evaluate(Program{load(64), ret(0)}, call(0)); }),
                HasSubstr("cannot have"));
    EXPECT_THAT(error_of([] { (void)evaluate(Program{op(BPF_ST, 16), ret(0)}, call(0)); }),
                HasSubstr("cannot have"));
    EXPECT_THAT(error_of([] { (void)evaluate(Program{op(BPF_LD | BPF_IND | BPF_W), ret(0)}, call(0)); }),
                HasSubstr("cannot have"));
}

} // namespace berth::test
