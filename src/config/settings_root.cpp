// SPDX-License-Identifier: LGPL-2.1-or-later
// [root] and the machine's name.
#include <array>

#include "base/error.hpp"
#include "base/names.hpp"
#include "config/image_policy.hpp"
#include "config/mount_syntax.hpp"
#include "config/settings_tables.hpp"
#include "config/values.hpp"

namespace berth {

namespace {

using values::absolute;

std::string path(std::string_view value) {
    if (value.empty())
        fail("the path is empty");
    return std::string(value);
}

Upper upper(std::string_view value) {
    if (value == "ephemeral")
        return {.kind = Upper::Kind::ephemeral, .path = {}};
    if (value == "persistent")
        return {.kind = Upper::Kind::persistent, .path = {}};
    if (value.starts_with('/'))
        return {.kind = Upper::Kind::path, .path = std::string(value)};
    fail("\"{}\" is neither \"ephemeral\", \"persistent\" nor an absolute path", value);
}

[[noreturn]] void no_verity() {
    fail("dm-verity is not supported yet: the image would not be checked");
}

// Short names keep the table readable.
using C = MachineConfig;
using V = std::string_view;
using O = Origin;
using enum SettingType;
using enum Trust;

// clang-format off
constexpr std::array table{
    // section, key, in .nspawn, option, letter, type, argument, implied, trust, help, apply
    Setting{"", "", "", "machine", 'M', text, "NAME", "", privileged, "name of the machine",
        [](C &c, V v, const O &) { require_machine_name(v); c.name = v; }},
    Setting{"root", "directory", "", "directory", 'D', text, "PATH", "", privileged, "the OS tree, lowest of the layers",
        [](C &c, V v, const O &) { c.root.directory = path(v); }},
    Setting{"root", "layers", "", "layer", 0, list, "PATH", "", privileged, "a lower layer of the root, lowest first (repeatable)",
        [](C &c, V v, const O &) { c.root.layers.push_back(absolute(v)); }},
    Setting{"root", "upper", "", "upper", 0, text, "WHERE", "", privileged, "what is written goes to: ephemeral, persistent, or a path",
        [](C &c, V v, const O &) { c.root.upper = upper(v); }},
    Setting{"root", "image", "", "image", 'i', text, "PATH", "", privileged, "a disk image that holds the OS tree",
        [](C &c, V v, const O &) { c.root.image = path(v); }},
    Setting{"root", "template", "", "template", 0, text, "PATH", "", privileged, "make the directory from this tree when it is missing",
        [](C &c, V v, const O &) { c.root.template_tree = path(v); }},
    Setting{"root", "image_policy", "", "image-policy", 0, text, "POLICY", "", privileged, "which partitions an image may have, and how protected",
        [](C &c, V v, const O &) { c.root.image_policy = ImagePolicy(v).text(); }},
    Setting{"", "", "", "root-hash", 0, text, "HASH", "", privileged, "not supported: dm-verity",
        [](C &, V, const O &) { no_verity(); }},
    Setting{"", "", "", "root-hash-sig", 0, text, "SIG", "", privileged, "not supported: dm-verity",
        [](C &, V, const O &) { no_verity(); }},
    Setting{"", "", "", "verity-data", 0, text, "PATH", "", privileged, "not supported: dm-verity",
        [](C &, V, const O &) { no_verity(); }},
    Setting{"", "", "", "oci-bundle", 0, text, "PATH", "", privileged, "not supported yet: an OCI runtime bundle",
        [](C &, V, const O &) { fail("OCI bundles are not supported yet"); }},
};
// clang-format on

} // namespace

std::span<const Setting> tables::root() {
    return table;
}

} // namespace berth
