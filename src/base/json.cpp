// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/json.hpp"

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace berth {

Json parse_json(std::string_view text) {
    return Json::parse(text);
}

std::optional<Json> try_parse_json(std::string_view text) {
    Json json = Json::parse(text, nullptr, false);
    return json.is_discarded() ? std::nullopt : std::optional(std::move(json));
}

std::string json_text(const Json &json, bool pretty) {
    return json.dump(pretty ? 1 : -1, pretty ? '\t' : ' ', false, Json::error_handler_t::replace);
}

} // namespace berth
