// SPDX-License-Identifier: LGPL-2.1-or-later
// For headers that name JSON values and do not look into them.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace berth {

using Json = nlohmann::ordered_json;

} // namespace berth
