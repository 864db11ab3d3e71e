// SPDX-License-Identifier: MIT
//
// Results of native calls. >= 0 is success, -1 to -4095 is a negated errno, and what no errno
// expresses has a number of its own below. lib/ reads these numbers from the addon (see
// endpoint_api.cc). It alone turns them into errors.
#pragma once

#include <cstdint>

namespace mp {

enum Status : int32_t {
  kEndOfFile = -10001,             // The peer closed between two messages.
  kTruncated = -10002,             // The peer closed inside a message.
  kBadLength = -10003,             // A length no message can have, or above maxMessageBytes.
  kTooLong = -10004,               // Longer than this call's maxLength.
  kLargeMessage = -10005,          // Does not fit the small buffer: continue with ReadLarge.
  kUnexpectedDescriptor = -10006,  // A descriptor arrived where message bytes were expected.
  kNoDescriptor = -10007,          // Message bytes arrived where a descriptor was expected.
  kBufferChanged = -10008,         // The caller's buffer was detached or shrunk in the meantime.
  kUnreadable = -10009,            // After an earlier failure no message boundary is known.
  kOwnerDied = -10010,             // The holder of a lock ended without releasing it.
  kQueueBroken = -10011,           // A member of the queue ended inside a message.
  kShutDown = -10012,              // The queue was shut down.
  kNoThread = -10013,              // No thread could be started (EAGAIN has another meaning here).
  kItemLost = -10014,  // The large item whose rest was expected is lost with its writer.
};

constexpr bool IsErrno(int64_t result) noexcept { return result < 0 && result >= -4095; }

}  // namespace mp
