// SPDX-License-Identifier: LGPL-2.1-or-later
// What most tests include, read by the compiler once (see src/meson.build).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pch/pch.hpp"
