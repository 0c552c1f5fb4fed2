// SPDX-License-Identifier: LGPL-2.1-or-later
// So that there is a library for pch.hpp.
