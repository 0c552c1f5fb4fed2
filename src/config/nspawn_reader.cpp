// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/nspawn_reader.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/names.hpp"
#include "base/parse.hpp"

namespace berth {

namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
    return result;
}

/// The words of `text`: blanks separate, quotes hold together, C escapes stand for characters.
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool open = false;
    char quote = 0;
    const auto end_word = [&] {
        if (open)
            words.push_back(c_unescape(word));
        word.clear();
        open = false;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == 0 && (c == ' ' || c == '\t')) {
            end_word();
            continue;
        }
        open = true;
        if (c == '\\' && i + 1 < text.size()) {
            word += c;
            word += text[++i];
        } else if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        } else {
            word += c;
        }
    }
    if (quote != 0)
        fail("a quote is not closed");
    end_word();
    return words;
}

class Reader {
public:
    explicit Reader(const std::string &name) : name_(name) {}

    std::vector<Assignment> read(std::string_view text) {
        std::string whole; // a logical line, from the physical line `first` on
        std::size_t first = 0;
        std::size_t number = 0;
        for (const std::string &raw : split(text, '\n')) {
            ++number;
            if (raw.contains('\0'))
                fail("{}:{}: the line holds a NUL character", name_, number);
            const std::string_view line = trim(raw);
            if (line.starts_with('#') || line.starts_with(';'))
                continue; // in the middle of a continued line, too
            if (whole.empty())
                first = number;
            whole += line;
            if (whole.ends_with('\\')) {
                whole.back() = ' ';
                continue;
            }
            read_line(trim(whole), first);
            whole.clear();
        }
        read_line(trim(whole), first);
        return std::move(found_);
    }

private:
    [[nodiscard]] std::string at(std::size_t line) const { return berth::format("{}:{}", name_, line); }

    void read_line(std::string_view line, std::size_t number) {
        if (line.empty())
            return;
        if (line.starts_with('[')) {
            if (!line.ends_with(']'))
                fail("{}: the section has no closing bracket", at(number));
            enter(line.substr(1, line.size() - 2), number);
            return;
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos)
            fail("{}: \"{}\" is neither a section nor of the form KEY=VALUE", at(number), line);
        const std::string_view key = trim(line.substr(0, equals));
        if (section_.starts_with("X-") || key.starts_with("X-"))
            return;
        if (section_.empty())
            fail("{}: {}= stands before any section", at(number), key);
        assign(key, trim(line.substr(equals + 1)), number);
    }

    void enter(std::string_view section, std::size_t number) {
        if (!section.starts_with("X-") && section != "Exec" && section != "Files" && section != "Network")
            fail("{}: unknown section [{}]; there are [Exec], [Files] and [Network]", at(number), section);
        section_ = section;
    }

    [[nodiscard]] const Setting &find(std::string_view key, std::size_t number) const {
        std::vector<std::string_view> known;
        for (const Setting *setting : settings()) {
            if (setting->nspawn.empty() || setting->section != lower(section_))
                continue;
            if (setting->nspawn_key() == key)
                return *setting;
            known.push_back(setting->nspawn_key());
        }
        const auto near = nearest(key, known);
        fail("{}: unknown setting {}= in [{}]{}", at(number), key, section_,
             near ? berth::format("; did you mean {}=?", *near) : "");
    }

    void assign(std::string_view key, std::string_view value, std::size_t number) {
        // Read by systemd-nspawn still, though documented no more.
        if (section_ == "Files" && key == "PrivateUsersChown") {
            const auto chown = value.empty() ? std::nullopt : parse_bool(value);
            if (!chown && !value.empty())
                fail("{}: {}= takes yes or no, not \"{}\"", at(number), key, value);
            key = "PrivateUsersOwnership";
            value = !chown ? "" : *chown ? "chown" : "off";
        }
        const Setting &setting = find(key, number);
        const Origin origin{berth::format("{}: {}=", at(number), key)};
        if (value.empty()) {
            std::erase_if(found_, [&](const Assignment &old) { return old.setting == &setting; });
            return;
        }
        try {
            // Environment= takes words, too, though each is most often alone on its line.
            if (setting.takes_words() || setting.type == SettingType::mapping) {
                for (std::string &word : words_of(value))
                    found_.push_back({.setting = &setting, .value = std::move(word), .origin = origin});
                return;
            }
        } catch (const Error &error) {
            throw Error(origin.text + ": " + error.what());
        }
        found_.push_back({.setting = &setting, .value = std::string(value), .origin = origin});
    }

    const std::string &name_;
    std::string section_;
    std::vector<Assignment> found_;
};

} // namespace

std::vector<Assignment> read_nspawn(std::string_view text, const std::string &name) {
    return Reader(name).read(text);
}

} // namespace berth
