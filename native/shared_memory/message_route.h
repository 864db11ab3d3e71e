// SPDX-License-Identifier: MIT
//
// The way that messages go, which tells when no process is left that can receive them. Their
// tickets are given back then.
#pragma once

#include <atomic>
#include <memory>

#include "io/endpoint.h"
#include "os/unique_fd.h"

namespace mp {

class MessageRoute {
 public:
  // That of what is sent over an endpoint; null if it cannot be watched, or if it is not watched
  // yet and is not to be. Any thread may call this.
  static std::shared_ptr<MessageRoute> Of(Endpoint& endpoint, bool make = true);

  // Whether no process can receive what was sent. Of a socket that is so if its peer had gone
  // before it was closed here; of a pipe whenever no process has its reading end.
  bool HasEnded() noexcept;

 private:
  MessageRoute() = default;

  // Names the pipe. The kernel counts it at neither end.
  UniqueFd pipe_;
  std::weak_ptr<Endpoint> socket_;
  std::atomic<bool> has_ended_{false};
};

}  // namespace mp
