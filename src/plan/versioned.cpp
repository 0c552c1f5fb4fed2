// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plan/versioned.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/version_order.hpp"

namespace berth::versioned {

namespace fs = std::filesystem;

namespace {

/// What to look for, and where.
struct Pattern {
    fs::path folder;
    std::string prefix; ///< with the underscore
    std::string suffix;
};

std::optional<Pattern> pattern_of(const std::string &path, What what) {
    fs::path whole = fs::path(path).lexically_normal();
    if (!whole.has_filename())
        whole = whole.parent_path();
    const std::string name = whole.filename().native();
    if (const auto at = name.find("___"); at != std::string::npos && whole.parent_path().extension() == ".v")
        return Pattern{whole.parent_path(), name.substr(0, at + 1), name.substr(at + 3)};
    std::error_code error;
    if (whole.extension() != ".v" || !fs::is_directory(whole, error))
        return std::nullopt;
    std::string stem = whole.stem().native();
    const std::string suffix = what == What::image ? ".raw" : "";
    if (stem.ends_with(suffix))
        stem.resize(stem.size() - suffix.size());
    return Pattern{whole, stem + "_", suffix};
}

/// The names of architectures, as ConditionArchitecture= of systemd.unit(5) has them.
constexpr std::array architectures{"x86-64",  "x86",   "arm64",       "arm",   "riscv64",   "ppc64-le",
                                   "ppc64",   "s390x", "s390",        "ia64",  "mips64-le", "mips64",
                                   "mips-le", "mips",  "loongarch64", "alpha", "sparc64",   "sparc"};

/// Those that this host runs.
std::vector<std::string_view> native() {
    utsname name{};
    if (::uname(&name) < 0)
        fail_errno("asking for the architecture");
    const std::string_view machine(static_cast<const char *>(name.machine));
    if (machine == "x86_64")
        return {"x86-64", "x86"};
    if (machine == "aarch64")
        return {"arm64", "arm"};
    if (machine == "ppc64le")
        return {"ppc64-le"};
    return {machine};
}

/// VERSION[_ARCHITECTURE][+LEFT[-DONE]]
struct Variable {
    std::string version;
    std::string architecture; ///< or empty
    bool spent = false;       ///< no tries are left
};

Variable parse(std::string text) {
    Variable variable;
    if (const auto plus = text.rfind('+'); plus != std::string::npos) {
        const std::vector<std::string> counters = split(std::string_view(text).substr(plus + 1), '-');
        const bool numbers =
            counters.size() <= 2 && std::ranges::all_of(counters, [](const std::string &each) {
                return parse_unsigned(each).has_value();
            });
        if (numbers) {
            variable.spent = parse_unsigned(counters[0]) == 0U;
            text.resize(plus);
        }
    }
    if (const auto at = text.rfind('_'); at != std::string::npos)
        if (std::ranges::contains(architectures, std::string_view(text).substr(at + 1))) {
            variable.architecture = text.substr(at + 1);
            text.resize(at);
        }
    variable.version = std::move(text);
    return variable;
}

/// Whether `a` is to be taken rather than `b`.
bool better(const Variable &a, const Variable &b) {
    if (a.spent != b.spent)
        return b.spent;
    const auto order = version_order(a.version, b.version);
    return order > 0;
}

} // namespace

std::optional<std::string> pick(const std::string &path, What what) {
    const auto pattern = pattern_of(path, what);
    if (!pattern)
        return std::nullopt;
    const std::vector<std::string_view> ours = native();
    std::optional<Variable> best;
    std::string found;
    for (const fs::directory_entry &entry : fs::directory_iterator(pattern->folder)) {
        const std::string name = entry.path().filename().native();
        if (name.size() <= pattern->prefix.size() + pattern->suffix.size()
            || !name.starts_with(pattern->prefix) || !name.ends_with(pattern->suffix)
            || (what == What::directory ? !entry.is_directory()
                                        : !entry.is_regular_file() && !entry.is_block_file()))
            continue;
        Variable variable = parse(name.substr(pattern->prefix.size(),
                                              name.size() - pattern->prefix.size() - pattern->suffix.size()));
        if (!variable.architecture.empty() && !std::ranges::contains(ours, variable.architecture))
            continue;
        if (!best || better(variable, *best)) {
            best = std::move(variable);
            found = entry.path().native();
        }
    }
    if (!best)
        fail_code(ENOENT, "{}: there is no {}VERSION{} in it that this host can run", path, pattern->prefix,
                  pattern->suffix);
    return found;
}

} // namespace berth::versioned
