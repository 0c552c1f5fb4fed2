// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config/mount_syntax.hpp"

#include "base/error.hpp"
#include "base/parse.hpp"

namespace berth {

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

Bind parse_bind(std::string_view text, bool read_only, const Origin &origin) {
    std::vector<std::string> pieces = split_mount(text);
    if (pieces.size() > 3)
        fail("\"{}\" has more than three parts; write \\: for a colon in a path", text);
    Bind bind{.read_only = read_only, .origin = origin};
    bind.source = pieces[0];
    if (bind.source.starts_with('-')) {
        bind.optional = true;
        bind.source.erase(0, 1);
    }
    if (bind.source.starts_with('+'))
        fail("\"{}\": sources inside the tree (+) are not supported yet", text);
    if (bind.source.empty())
        fail("\"{}\": a bind mount without a source is not supported yet", text);
    if (!bind.source.starts_with('/'))
        fail("\"{}\" is not an absolute path", bind.source);
    bind.destination = pieces.size() > 1 && !pieces[1].empty() ? pieces[1] : bind.source;
    if (!bind.destination.starts_with('/'))
        fail("\"{}\" is not an absolute path", bind.destination);
    if (pieces.size() > 2) {
        for (const std::string &option : split(pieces[2], ',')) {
            if (option == "rbind" || option == "norbind")
                bind.recursive = option == "rbind";
            else if (option == "idmap" || option == "rootidmap" || option == "owneridmap")
                fail("the mount option {} is not supported yet", option);
            else if (!option.empty() && option != "noidmap")
                fail("\"{}\" is not a mount option: rbind, norbind and noidmap are", option);
        }
    }
    return bind;
}

Tmpfs parse_tmpfs(std::string_view text, const Origin &origin) {
    std::vector<std::string> pieces = split_mount(text);
    if (pieces.size() > 2)
        fail("\"{}\" has more than two parts; write \\: for a colon in a path", text);
    if (!pieces[0].starts_with('/'))
        fail("\"{}\" is not an absolute path", pieces[0]);
    return Tmpfs{.destination = pieces[0], .options = pieces.size() > 1 ? pieces[1] : "", .origin = origin};
}

} // namespace berth
