// SPDX-License-Identifier: MIT
//
// Stream sockets before they are connected: listening, accepting, connecting. None of these calls
// waits, and all return >= 0 or -errno. What differs between systems is in stream_socket_linux.cc
// and stream_socket_darwin.cc.
//
// Accepting must not wait, and the only switch for that, O_NONBLOCK, belongs to the open file
// description, which a process that inherits it would share. So the flag is left alone: accept() is
// called only when poll() has just said that a connection is there. Nothing else can accept it in
// between, because no other process or thread has the listening socket: it is close-on-exec from
// birth, lib/ does not publish its number, and it belongs to one environment, that is, one thread.
// A receive timeout on the socket would be no better, since it is shared in the same way.
//
// A connecting socket is not shared with any process either, and nothing but O_NONBLOCK lets a
// connect() go on in the background. It has the flag from birth and loses it before it becomes an
// endpoint.
#pragma once

#include "os/unique_fd.h"
#include "sockets/socket_address.h"

namespace mp::stream_socket {

// Close-on-exec from birth, and never a standard stream's number.
int Open(bool ip, bool non_blocking) noexcept;

int Bind(int fd, const SocketAddress& address) noexcept;
int Listen(int fd, int backlog) noexcept;

// The next connection, ready to be an endpoint, or -EAGAIN. Connections that their peers have
// already closed are skipped.
int Accept(int fd, SocketAddress* peer) noexcept;

// For a non-blocking socket: 0 when it is connected; -EINPROGRESS when it becomes writable once the
// result is known; -EAGAIN when the listener's queue is full, whose change a unix socket does not
// report.
int Connect(int fd, const SocketAddress& address) noexcept;
// The result of a connection that was in progress.
int ConnectResult(int fd) noexcept;
// Makes a connected socket ready to be an endpoint: in blocking mode.
int Finish(int fd, bool ip) noexcept;
// Ends a TCP connection, with ETIMEDOUT, when the other host has given no sign of life for so long
// although it was asked: also while nothing is sent, and while sent bytes are not acknowledged.
// Without this, a host that vanishes is noticed after a quarter of an hour, or never.
int LimitSilence(int fd, int ms) noexcept;

// One implementation for each system.
namespace platform {
int OpenSocket(int family, bool non_blocking) noexcept;
// The connection is close-on-exec, and may be in blocking or non-blocking mode.
int AcceptConnection(int fd, sockaddr* peer, socklen_t* size) noexcept;
// Before a listening socket is used.
int PrepareListening(int fd) noexcept;
// The first probe after `seconds` of silence, and the next ones in the same intervals, until `ms`
// are over.
int SetProbes(int fd, int seconds, int ms) noexcept;
}  // namespace platform

}  // namespace mp::stream_socket
