// SPDX-License-Identifier: LGPL-2.1-or-later
// The one kind of JSON value of the project. What it is made of is compiled once, in json.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/json_fwd.hpp"

extern template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace berth {

/// Throws Json::exception.
[[nodiscard]] Json parse_json(std::string_view text);

/// Nothing where `text` is no JSON.
[[nodiscard]] std::optional<Json> try_parse_json(std::string_view text);

/// As text: in one line, or for people, indented by tabs. What is not UTF-8 in it is replaced.
[[nodiscard]] std::string json_text(const Json &json, bool pretty = false);

} // namespace berth
