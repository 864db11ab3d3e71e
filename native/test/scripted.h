// SPDX-License-Identifier: MIT
//
// A byte source and a byte sink that follow a script, such as some bytes now and an error next.
// Otherwise they behave like a kernel object. In particular, a read ends after a byte that a
// descriptor comes with.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "io/byte_stream.h"
#include "io/frame.h"

namespace mp::test {

using Blob = std::vector<uint8_t>;

// Bytes that differ, so that one in the wrong place is noticed.
inline Blob Pattern(size_t size, uint8_t seed = 1) {
  Blob bytes(size);
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<uint8_t>(seed + i * 31 + (i >> 8) * 7);
  return bytes;
}

inline void AppendTo(Blob& blob, const Blob& more) {
  blob.insert(blob.end(), more.begin(), more.end());
}

inline Blob Frame(const Blob& payload) {
  uint8_t header[frame::kLongHeaderBytes];
  Blob bytes(header, header + frame::EncodeHeader(payload.size(), header));
  AppendTo(bytes, payload);
  return bytes;
}

// The form that senders use only above 2^31-1, and that receivers must accept for any length.
inline Blob LongHeader(uint64_t length) {
  Blob bytes(4, 0xff);
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<uint8_t>(length >> shift));
  }
  return bytes;
}

inline Blob ShortHeader(int32_t length) {
  const auto bits = static_cast<uint32_t>(length);
  return {static_cast<uint8_t>(bits >> 24), static_cast<uint8_t>(bits >> 16),
          static_cast<uint8_t>(bits >> 8), static_cast<uint8_t>(bits)};
}

// Any descriptor, to be counted and closed.
inline UniqueFd AnyDescriptor() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

inline bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

// Each step of a script is one call: > 0 moves at most so many bytes, 0 is EAGAIN, < 0 is that
// error.
class Script {
 public:
  void Add(std::initializer_list<ssize_t> steps) { steps_.insert(steps_.end(), steps); }
  void Repeat(size_t times, std::initializer_list<ssize_t> steps) {
    for (size_t i = 0; i < times; i++) Add(steps);
  }

  // The step of the next call; `otherwise` when the script is over.
  ssize_t Next(ssize_t otherwise) {
    if (steps_.empty()) return otherwise;
    const ssize_t step = steps_.front();
    steps_.pop_front();
    return step;
  }
  bool over() const { return steps_.empty(); }

 private:
  std::deque<ssize_t> steps_;
};

class ScriptedSource final : public ByteSource {
 public:
  explicit ScriptedSource(Blob bytes, bool ends = false) : bytes_(std::move(bytes)), ends_(ends) {}

  Script script;

  // `count` descriptors arrive with the byte at `position`.
  void DescriptorsAt(size_t position, int count) { descriptors_[position] = count; }
  void Extend(const Blob& more) { AppendTo(bytes_, more); }
  void End() { ends_ = true; }

  size_t taken() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  int calls() const { return calls_; }
  // Whether every further call returns EAGAIN.
  bool dry() const { return left() == 0 && script.over() && !ends_; }

  ssize_t Read(const iovec* iov, int count, ArrivedDescriptor* descriptor) override {
    calls_++;
    const ssize_t step = script.Next(static_cast<ssize_t>(bytes_.size()) + 1);
    if (step <= 0) return step == 0 ? -EAGAIN : step;
    if (at_ == bytes_.size()) return ends_ ? 0 : -EAGAIN;
    size_t most = std::min(static_cast<size_t>(step), bytes_.size() - at_);
    const auto carrier = descriptors_.lower_bound(at_);
    if (carrier != descriptors_.end()) most = std::min(most, carrier->first + 1 - at_);
    size_t done = 0;
    for (int i = 0; i < count && done < most; i++) {
      const size_t part = std::min(iov[i].iov_len, most - done);
      if (part > 0) std::memcpy(iov[i].iov_base, bytes_.data() + at_ + done, part);
      done += part;
    }
    at_ += done;
    if (carrier == descriptors_.end() || carrier->first >= at_) return static_cast<ssize_t>(done);
    if (carrier->second > 1 || *descriptor) return -EBADMSG;
    *descriptor = ArrivedDescriptor(AnyDescriptor());
    return static_cast<ssize_t>(done);
  }

 private:
  Blob bytes_;
  bool ends_;
  size_t at_ = 0;
  int calls_ = 0;
  std::map<size_t, int> descriptors_;
};

class ScriptedSink final : public ByteSink {
 public:
  Script script;
  // The step of every call when the script is over: SSIZE_MAX writes everything.
  ssize_t otherwise = SSIZE_MAX;

  Blob written;
  // Positions in `written` of the bytes with which a descriptor was sent.
  std::vector<size_t> descriptor_positions;
  int calls = 0;
  size_t largest_call = 0;

  ssize_t Write(const iovec* iov, int count) override {
    calls++;
    size_t offered = 0;
    for (int i = 0; i < count; i++) offered += iov[i].iov_len;
    largest_call = std::max(largest_call, offered);
    const ssize_t step = script.Next(otherwise);
    if (step <= 0) return step == 0 ? -EAGAIN : step;
    size_t room = static_cast<size_t>(step);
    size_t done = 0;
    for (int i = 0; i < count && room > 0; i++) {
      const size_t part = std::min(iov[i].iov_len, room);
      const auto* data = static_cast<const uint8_t*>(iov[i].iov_base);
      written.insert(written.end(), data, data + part);
      room -= part;
      done += part;
    }
    return static_cast<ssize_t>(done);
  }

  ssize_t WriteDescriptor(uint8_t byte, int descriptor) override {
    calls++;
    const ssize_t step = script.Next(otherwise);
    if (step <= 0) return step == 0 ? -EAGAIN : step;
    if (!IsOpen(descriptor)) return -EBADF;
    descriptor_positions.push_back(written.size());
    written.push_back(byte);
    return 1;
  }
};

}  // namespace mp::test
