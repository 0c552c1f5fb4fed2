// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/errors.hpp"

#include <cerrno>

#include "base/error.hpp"

namespace berth::bus_error {

namespace {

const char *name_of(int code) {
    switch (code) {
    case EACCES:
    case EPERM: return access_denied;
    case ETIMEDOUT: return timeout;
    case EINVAL: return invalid_args;
    default: return failed;
    }
}

} // namespace

sdbus::Error from(const std::exception_ptr &exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const sdbus::Error &error) {
        return error;
    } catch (const Error &error) {
        return make(name_of(error.code()), "{}", error.what());
    } catch (const std::exception &error) {
        return make(failed, "{}", error.what());
    }
}

sdbus::Error while_doing(const std::string &doing, const sdbus::Error &error) {
    return {error.getName(), doing + ": " + error.getMessage()};
}

} // namespace berth::bus_error
