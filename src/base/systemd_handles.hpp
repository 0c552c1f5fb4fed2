// SPDX-License-Identifier: LGPL-2.1-or-later
// Owning handles for libsystemd's reference-counted objects.
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <systemd/sd-journal.h>

#include <memory>

namespace berth {

/// A deleter that calls one of libsystemd's unref or close functions.
template <auto Function> struct Releases {
    template <class T> void operator()(T *object) const noexcept { Function(object); }
};

using EventPtr = std::unique_ptr<sd_event, Releases<sd_event_unref>>;
/// Disabling on release, so that a callback never outlives what it captured.
using EventSourcePtr = std::unique_ptr<sd_event_source, Releases<sd_event_source_disable_unref>>;
using BusPtr = std::unique_ptr<sd_bus, Releases<sd_bus_flush_close_unref>>;
using BusMessagePtr = std::unique_ptr<sd_bus_message, Releases<sd_bus_message_unref>>;
using BusSlotPtr = std::unique_ptr<sd_bus_slot, Releases<sd_bus_slot_unref>>;
using JournalPtr = std::unique_ptr<sd_journal, Releases<sd_journal_close>>;

} // namespace berth
