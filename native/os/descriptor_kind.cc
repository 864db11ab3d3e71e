// SPDX-License-Identifier: MIT
#include "os/descriptor_kind.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "os/platform.h"
#include "os/sys.h"

namespace mp::sys {

int Describe(int fd, Description* out) noexcept {
  struct stat info {};
  const int status = platform::FileStatus(fd, &info);
  if (status < 0) return status;
  const int flags = RetryOnInterrupt([fd] { return ::fcntl(fd, F_GETFL); });
  if (flags < 0) return flags;
  const int mode = flags & O_ACCMODE;
  out->readable = mode == O_RDONLY || mode == O_RDWR;
  out->writable = mode == O_WRONLY || mode == O_RDWR;
  if (S_ISFIFO(info.st_mode)) {
    out->kind = Kind::kPipe;
    out->stream = true;
  } else if (S_ISSOCK(info.st_mode)) {
    out->kind = Kind::kSocket;
    int type = 0;
    int listening = 0;
    socklen_t size = sizeof type;
    const bool known = ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    size = sizeof listening;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) listening = 0;
    out->stream = known && type == SOCK_STREAM && listening == 0;
  }
  return 0;
}

}  // namespace mp::sys
