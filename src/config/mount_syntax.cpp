// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/mount_syntax.hpp"

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/parse.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using Kind = MountConfig::Kind;
using Source = MountConfig::Source;

/// A path inside: absolute, without "." and "//", not the root itself.
std::string destination_of(const std::string &path) {
    std::string normal = std::filesystem::path(values::absolute(path)).lexically_normal().native();
    if (normal.size() > 1 && normal.ends_with('/'))
        normal.pop_back();
    if (normal == "/")
        fail("the root itself cannot be mounted over");
    return normal;
}

Source source_of(std::string_view text) {
    Source source;
    if (text.starts_with('+')) {
        source.inside = true;
        text.remove_prefix(1);
    }
    if (!text.empty())
        source.path = values::absolute(text);
    else if (source.inside)
        fail("\"+\" is followed by no path");
    return source;
}

/// What split_mount() makes `text` of.
std::string escape(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == ':' || c == '\\')
            escaped += '\\';
        escaped += c;
    }
    return escaped;
}

/// Takes the mark of a source that may be missing.
bool take_optional(std::string &text) {
    if (!text.starts_with('-'))
        return false;
    text.erase(0, 1);
    return true;
}

void take_options(MountConfig &bind, std::string_view options) {
    for (const std::string &option : split(options, ',')) {
        if (option == "rbind" || option == "norbind")
            bind.recursive = option == "rbind";
        else if (option == "noidmap")
            bind.id_map = IdMap::none;
        else if (option == "idmap")
            bind.id_map = IdMap::idmap;
        else if (option == "rootidmap")
            bind.id_map = IdMap::rootidmap;
        else if (option == "owneridmap")
            bind.id_map = IdMap::owneridmap;
        else if (!option.empty())
            fail("\"{}\" is not a mount option: rbind, norbind, idmap, noidmap, rootidmap and owneridmap are",
                 option);
    }
}

} // namespace

std::vector<std::string> split_mount(std::string_view text) {
    std::vector<std::string> pieces(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ':' || text[i + 1] == '\\'))
            pieces.back().push_back(text[++i]);
        else if (text[i] == ':')
            pieces.emplace_back();
        else
            pieces.back().push_back(text[i]);
    }
    return pieces;
}

std::string with_absolute_sources(std::string_view text, bool overlay, const std::string &directory) {
    std::vector<std::string> pieces = split_mount(text);
    const std::size_t sources = !overlay ? 1 : std::max<std::size_t>(pieces.size() - 1, 1);
    std::string made;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const std::string &piece = pieces[i];
        const std::size_t marks = i == 0 && piece.starts_with('-') ? 1 : 0;
        // One in the tree ("+") is not seen from here.
        const bool relative =
            i < sources && marks < piece.size() && piece[marks] != '/' && piece[marks] != '+';
        made += i == 0 ? "" : ":";
        made += piece.substr(0, marks);
        if (relative)
            made += escape(directory + "/");
        made += escape(piece.substr(marks));
    }
    return made;
}

MountConfig parse_bind(std::string_view text, bool read_only, const Origin &origin) {
    std::vector<std::string> pieces = split_mount(text);
    if (pieces.size() > 3)
        fail("\"{}\" has more than three parts; write \\: for a colon in a path", text);
    MountConfig bind{.kind = Kind::bind, .read_only = read_only, .origin = origin};
    bind.optional = take_optional(pieces[0]);
    bind.sources.push_back(source_of(pieces[0]));
    const std::string &source = bind.sources[0].path;
    const std::string &destination = pieces.size() > 1 && !pieces[1].empty() ? pieces[1] : source;
    if (destination.empty())
        fail("\"{}\" names neither a source nor a destination", text);
    bind.destination = destination_of(destination);
    if (pieces.size() > 2)
        take_options(bind, pieces[2]);
    return bind;
}

MountConfig parse_tmpfs(std::string_view text, const Origin &origin) {
    const std::vector<std::string> pieces = split_mount(text);
    if (pieces.size() > 2)
        fail("\"{}\" has more than two parts; write \\: for a colon in a path", text);
    return {.kind = Kind::tmpfs,
            .destination = destination_of(pieces[0]),
            .options = pieces.size() > 1 ? pieces[1] : "",
            .origin = origin};
}

MountConfig parse_inaccessible(std::string_view text, const Origin &origin) {
    return {.kind = Kind::inaccessible, .destination = destination_of(std::string(text)), .origin = origin};
}

MountConfig parse_overlay(std::string_view text, bool read_only, const Origin &origin) {
    std::vector<std::string> pieces = split_mount(text);
    if (pieces.size() < 2)
        fail("\"{}\" needs a layer and a destination", text);
    MountConfig overlay{.kind = Kind::overlay, .read_only = read_only, .origin = origin};
    overlay.optional = take_optional(pieces[0]);
    overlay.destination =
        destination_of(pieces.back().starts_with('+') ? pieces.back().substr(1) : pieces.back());
    if (pieces.size() > 2)
        pieces.pop_back();
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        overlay.sources.push_back(source_of(pieces[i]));
        if (pieces[i].empty() && (read_only || i + 1 < pieces.size()))
            fail("\"{}\": only the layer that is written to may be left empty", text);
    }
    return overlay;
}

void parse_pivot(std::string_view text, std::string &new_root, std::string &old_root) {
    const std::vector<std::string> pieces = split_mount(text);
    if (pieces.size() > 2)
        fail("\"{}\" has more than two parts", text);
    new_root = destination_of(pieces[0]);
    old_root = pieces.size() > 1 ? values::absolute(pieces[1]) : "";
    if (new_root == old_root)
        fail("\"{}\": the new and the old root are the same", text);
}

} // namespace berth
