// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/path.hpp"

#include <systemd/sd-bus.h>

#include <cstdlib>
#include <memory>

#include "base/error.hpp"

namespace berth {

sdbus::ObjectPath object_path(const char *prefix, const std::string &name) {
    char *path = nullptr;
    if (const int result = ::sd_bus_path_encode(prefix, name.c_str(), &path); result < 0)
        fail_code(-result, "making the object path of \"{}\"", name);
    const std::unique_ptr<char, decltype(&std::free)> owner(path, std::free);
    return sdbus::ObjectPath(path);
}

} // namespace berth
