// SPDX-License-Identifier: LGPL-2.1-or-later
#include "berth/inspect/seccomp.hpp"
#include "base/format.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace berth::inspect_seccomp {

using seccomp::Answer;

namespace {

constexpr std::size_t columns = 80;

/// So far behind the last call with a name is none yet.
constexpr int nameless_offset = 1000;

[[nodiscard]] Calls examine(const seccomp::Programs &filters, const seccomp::Architecture &architecture) {
    const std::map<int, std::string> names = seccomp::call_names(architecture);
    const auto answer = [&](int number) {
        return seccomp::evaluate(
            filters, {.nr = number, .arch = architecture.audit, .instruction_pointer = 0, .args = {}});
    };
    Calls calls{.architecture = architecture, .known = names.size(), .by_answer = {}, .by_arguments = {}};
    for (const auto &[number, name] : names) {
        calls.by_answer[answer(number)].push_back(name);
        auto possible = seccomp::possible_answers(filters, architecture.audit, number);
        if (possible.size() > 1)
            calls.by_arguments.emplace(name, std::move(possible));
    }
    for (auto &[_, list] : calls.by_answer)
        std::ranges::sort(list);
    if (!names.empty())
        calls.nameless = answer(names.rbegin()->first + nameless_offset);
    return calls;
}

/// The group that an answer belongs to, whatever its errno or other data.
[[nodiscard]] std::string group(Answer answer) {
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW: return "allowed";
    case SECCOMP_RET_LOG: return "logged";
    case SECCOMP_RET_TRACE: return "traced";
    case SECCOMP_RET_USER_NOTIF: return "notified";
    case SECCOMP_RET_ERRNO: return "errno";
    case SECCOMP_RET_TRAP: return "trapped";
    default: // what the kernel does not know kills too
        return "killed";
    }
}

[[nodiscard]] std::string error_name(Answer answer) {
    const int error = static_cast<int>(answer & SECCOMP_RET_DATA);
    if (error == 0)
        return "success";
    const char *name = ::strerrorname_np(error);
    return name == nullptr ? berth::format("errno {}", error) : name;
}

[[nodiscard]] std::string sentence(Answer answer) {
    switch (answer & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW: return "go through";
    case SECCOMP_RET_LOG: return "go through, and are logged";
    case SECCOMP_RET_TRACE: return "are a tracer's to decide";
    case SECCOMP_RET_USER_NOTIF: return "are a supervisor's to decide";
    case SECCOMP_RET_ERRNO:
        return (answer & SECCOMP_RET_DATA) == 0 ? "do nothing and succeed"
                                                : berth::format("fail with {}", error_name(answer));
    case SECCOMP_RET_TRAP: return "raise SIGSYS";
    case SECCOMP_RET_KILL_THREAD: return "kill the thread";
    default: return "kill the process";
    }
}

/// `words` in lines of their own, indented.
[[nodiscard]] std::string wrapped(const std::vector<std::string> &words) {
    constexpr std::string_view indent = "        ";
    std::string text;
    std::string line(indent);
    for (const std::string &word : words) {
        if (line.size() > indent.size() && line.size() + 1 + word.size() > columns) {
            text += line + "\n";
            line = indent;
        }
        if (line.size() > indent.size())
            line += ' ';
        line += word;
    }
    return text + line + "\n";
}

[[nodiscard]] std::vector<std::string> descriptions(const std::set<Answer> &answers) {
    std::vector<std::string> words;
    std::ranges::transform(answers, std::back_inserter(words), describe);
    std::ranges::sort(words);
    return words;
}

[[nodiscard]] std::string joined(const std::vector<std::string> &words, std::string_view between) {
    std::string text;
    for (const std::string &word : words)
        text += (text.empty() ? "" : std::string(between)) + word;
    return text;
}

[[nodiscard]] std::string text_of(const Calls &calls, bool verbose) {
    std::size_t through = 0;
    for (const auto &[answer, list] : calls.by_answer)
        through += seccomp::refuses(answer) ? 0 : list.size();
    std::string text = berth::format("{}: {} of {} system calls go through\n", calls.architecture.name,
                                     through, calls.known);
    for (const auto &[answer, list] : calls.by_answer) {
        if (answer == SECCOMP_RET_ALLOW && !verbose)
            continue;
        text += berth::format("    {} {}:\n{}", list.size(), sentence(answer), wrapped(list));
    }
    if (!calls.by_arguments.empty()) {
        text += berth::format("    {} depend on their arguments:\n", calls.by_arguments.size());
        for (const auto &[name, answers] : calls.by_arguments)
            text += berth::format("        {}: {}\n", name, joined(descriptions(answers), " or "));
    }
    return text + berth::format("    calls newer than these names {}\n", sentence(calls.nameless));
}

[[nodiscard]] Json json_of(const Calls &calls) {
    Json object{{"name", calls.architecture.name},
                {"known", calls.known},
                {"errno", Json::object()},
                {"by_arguments", Json::object()},
                {"nameless", describe(calls.nameless)}};
    for (const char *key : {"allowed", "logged", "traced", "notified", "trapped", "killed"})
        object[key] = Json::array();
    for (const auto &[answer, list] : calls.by_answer) {
        const std::string kind = group(answer);
        Json &place = kind == "errno" ? object["errno"][error_name(answer)] : object[kind];
        for (const std::string &name : list)
            place.push_back(name);
    }
    for (const auto &[name, answers] : calls.by_arguments)
        object["by_arguments"][name] = descriptions(answers);
    return object;
}

} // namespace

std::vector<Calls> examine(const seccomp::Programs &filters) {
    std::vector<Calls> all;
    for (const seccomp::Architecture &architecture : seccomp::architectures())
        all.push_back(examine(filters, architecture));
    return all;
}

std::string describe(Answer answer) {
    const std::string kind = group(answer);
    return kind == "errno" ? error_name(answer) : kind;
}

std::string explain(const seccomp::Programs &filters, bool verbose) {
    if (filters.empty())
        return "No system call filter: all calls reach the kernel.\n";
    std::vector<std::string> sizes;
    for (const seccomp::Program &program : filters)
        sizes.push_back(std::to_string(program.size()));
    std::string text = berth::format("{} filter{} of system calls, of {} instructions\n", filters.size(),
                                     filters.size() == 1 ? "" : "s", joined(sizes, ", "));
    for (const Calls &calls : examine(filters))
        text += "\n" + text_of(calls, verbose);
    return text;
}

Json explain_json(const seccomp::Programs &filters) {
    Json object{{"instructions", Json::array()}, {"architectures", Json::array()}};
    for (const seccomp::Program &program : filters)
        object["instructions"].push_back(program.size());
    for (const Calls &calls : examine(filters))
        object["architectures"].push_back(json_of(calls));
    return object;
}

} // namespace berth::inspect_seccomp
