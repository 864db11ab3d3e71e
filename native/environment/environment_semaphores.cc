// SPDX-License-Identifier: MIT
#include "environment/environment_semaphores.h"

#include <cerrno>
#include <utility>

#include "recovery/stream_record.h"
#include "semaphores/resource_tracker.h"
#include "semaphores/semaphore_waiter.h"

namespace mp {

int32_t EnvironmentSemaphores::Create(uint32_t value, const std::string& label) {
  OpenSemaphore open;
  int status = Family::Own(&open.family);
  if (status < 0) return status;
  std::shared_ptr<NamedSemaphore> semaphore;
  status = open.family->CreateSemaphore(value, label, &open.number, &semaphore);
  if (status < 0) return status;
  open.semaphore = std::make_shared<TrackedSemaphore>(std::move(semaphore));
  open.created = true;
  return Insert(std::move(open));
}

int32_t EnvironmentSemaphores::Attach(const std::string& family, uint32_t number) {
  OpenSemaphore open;
  int status = Family::Join(family, &open.family);
  if (status < 0) return status;
  std::shared_ptr<NamedSemaphore> semaphore;
  status = open.family->OpenSemaphore(number, &semaphore);
  if (status < 0) return status;
  open.semaphore = std::make_shared<TrackedSemaphore>(std::move(semaphore));
  open.number = number;
  return Insert(std::move(open));
}

int32_t EnvironmentSemaphores::OpenNamed(const std::string& name, bool create, uint32_t value) {
  OpenSemaphore open;
  std::shared_ptr<NamedSemaphore> semaphore;
  const int status = NamedSemaphore::Open(name, create, value, &semaphore);
  if (status < 0) return status;
  open.semaphore = std::make_shared<TrackedSemaphore>(std::move(semaphore));
  return Insert(std::move(open));
}

void EnvironmentSemaphores::EndWithProcess() {
  // process.exit() runs no cleanup of environments, but it runs static destructors.
  static const struct AtExit {
    ~AtExit() { EndOfProcess(); }
  } at_exit;
}

int32_t EnvironmentSemaphores::Insert(OpenSemaphore&& open) {
  EndWithProcess();
  return all_.Add(std::move(open));
}

void EnvironmentSemaphores::EndOfProcess() {
  SemaphoreWaiter::Stop();
  resource_tracker::Stop();
  Family::LeaveAll();
}

void EnvironmentSemaphores::Close(int32_t id) {
  OpenSemaphore* open = all_.Find(id);
  if (open == nullptr) return;
  open->closed = true;
  if (open->pins > 0) return;
  const OpenSemaphore closed = std::move(*open);
  all_.Remove(id);
  Unlink(closed);
}

void EnvironmentSemaphores::Pin(int32_t id) noexcept {
  OpenSemaphore* open = all_.Find(id);
  if (open != nullptr) open->pins++;
}

void EnvironmentSemaphores::Unpin(int32_t id) {
  OpenSemaphore* open = all_.Find(id);
  if (open == nullptr || open->pins == 0) return;
  open->pins--;
  if (open->closed) Close(id);
}

int EnvironmentSemaphores::OpenCompletions() {
  if (completions_) return 0;
  auto queue = std::make_shared<CompletionQueue>();
  const int status = queue->Open();
  if (status >= 0) completions_ = std::move(queue);
  return status;
}

int EnvironmentSemaphores::StartWaiting(int32_t id, int32_t request) {
  const OpenSemaphore* open = all_.Find(id);
  if (open == nullptr || !completions_) return -EBADF;
  return SemaphoreWaiter::Start(open->semaphore, completions_, request);
}

void EnvironmentSemaphores::CancelWaiting(int32_t request) {
  if (completions_) SemaphoreWaiter::Cancel(completions_, request);
}

void EnvironmentSemaphores::CloseAll(bool unlink) {
  if (completions_) SemaphoreWaiter::CancelAll(completions_);
  if (unlink) all_.ForEach([](const OpenSemaphore& open) { Unlink(open); });
  all_.Clear();
}

void EnvironmentSemaphores::Unlink(const OpenSemaphore& open) {
  if (!open.created || !open.family) return;
  if (open.is_queue) open.family->RemoveBlock(StreamRecord::kBlockKind, open.number);
  open.family->UnlinkSemaphore(open.number);
  open.family->table()->Close(open.number);
}

}  // namespace mp
