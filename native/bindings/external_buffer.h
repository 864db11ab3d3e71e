// SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <node_api.h>

#include <cstddef>

namespace mp {

// A function that only some runtimes have.
template <typename Function>
Function RuntimeFunction(const char* name) noexcept {
  return reinterpret_cast<Function>(::dlsym(RTLD_DEFAULT, name));
}

// Makes an ArrayBuffer over memory that is not the runtime's own. `drop` is called with `hint` when
// its memory is freed, whichever buffer that was transferred to, and also if there is no buffer.
// False where the runtime refuses such memory.
inline bool CreateExternalBuffer(napi_env env, void* data, size_t size, napi_finalize drop,
                                 void* hint, napi_value* out) {
  using Create = napi_status (*)(napi_env, void*, size_t, napi_finalize, void*, napi_value*);
  static const auto create = RuntimeFunction<Create>("napi_create_external_arraybuffer");
  const napi_status status = create == nullptr ? napi_no_external_buffers_allowed
                                               : create(env, data, size, drop, hint, out);
  // After any other failure the runtime has called it, or does so later.
  if (status == napi_no_external_buffers_allowed) drop(env, data, hint);
  return status == napi_ok;
}

}  // namespace mp
