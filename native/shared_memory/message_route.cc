// SPDX-License-Identifier: MIT
#include "shared_memory/message_route.h"

#include <poll.h>
#include <sys/stat.h>

#include <map>
#include <mutex>
#include <utility>

#include "os/platform.h"
#include "os/sys.h"

namespace mp {

namespace {

// The routes of this process, by the device and the inode of the pipe or of this end of the socket.
// Leaked on purpose: threads may still run when static destructors do.
struct Routes {
  std::mutex mutex;
  std::map<std::pair<dev_t, ino_t>, std::weak_ptr<MessageRoute>> known;
};

Routes& AllRoutes() {
  static auto& routes = *new Routes;
  return routes;
}

bool IsGone(int fd, short events) noexcept {
  pollfd entry{fd, 0, 0};
  return sys::Poll(&entry, 1, 0) > 0 && (entry.revents & events) != 0;
}

}  // namespace

std::shared_ptr<MessageRoute> MessageRoute::Of(Endpoint& endpoint, bool make) {
  struct stat info {};
  if (platform::FileStatus(endpoint.fd(), &info) < 0) return nullptr;
  Routes& routes = AllRoutes();
  const std::lock_guard lock(routes.mutex);
  std::erase_if(routes.known, [](const auto& entry) { return entry.second.expired(); });
  if (!make && routes.known.empty()) return nullptr;
  std::weak_ptr<MessageRoute>& known = routes.known[{info.st_dev, info.st_ino}];
  std::shared_ptr<MessageRoute> route = known.lock();
  // The number of a socket that was closed may be that of another one.
  if (route && (route->pipe_ || !route->socket_.expired())) return route;
  if (!make) return nullptr;
  route.reset(new MessageRoute);
  if (endpoint.is_socket()) {
    route->socket_ = endpoint.weak_from_this();
  } else {
    route->pipe_.Reset(platform::NamePipe(endpoint.fd()));
    if (!route->pipe_) return nullptr;
  }
  known = route;
  return route;
}

bool MessageRoute::HasEnded() noexcept {
  if (has_ended_.load()) return true;
  bool ended = false;
  if (pipe_) {
    // A writing end, for the moment: the kernel tells it whether there is a reading one.
    const UniqueFd writer(platform::ReopenNonBlocking(pipe_.get(), true));
    ended = writer && IsGone(writer.get(), POLLERR);
  } else if (const std::shared_ptr<Endpoint> socket = socket_.lock()) {
    ended = IsGone(socket->fd(), POLLHUP);
  }
  if (ended) has_ended_.store(true);
  return ended;
}

}  // namespace mp
