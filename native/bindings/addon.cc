// SPDX-License-Identifier: MIT
#include <node_api.h>
#include <uv.h>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "environment/addon_env.h"

NAPI_MODULE_INIT() {
  // libuv keeps its ABI within a major version only.
  if ((uv_version() >> 16) != 1) {
    napi_throw_error(env, nullptr,
                     "This build needs libuv 1, the runtime has another major version");
    return nullptr;
  }
  uv_loop_t* loop = nullptr;
  const bool known = napi_get_uv_event_loop(env, &loop) == napi_ok;
  // Asking node:worker_threads would load all of it, which a starting child does not need.
  mp::ExportFlag(env, exports, "isMainThread", known && loop == uv_default_loop());
  napi_set_instance_data(
      env, new mp::AddonEnv(env),
      [](napi_env, void* data, void*) { delete static_cast<mp::AddonEnv*>(data); }, nullptr);
  mp::ExportEndpointApi(env, exports);
  mp::ExportMessageApi(env, exports);
  mp::ExportSemaphoreApi(env, exports);
  mp::ExportFamilyApi(env, exports);
  mp::ExportProcessApi(env, exports);
  mp::ExportSocketApi(env, exports);
  mp::ExportQueueApi(env, exports);
  mp::ExportLeaseApi(env, exports);
  mp::ExportSharedMemoryApi(env, exports);
  mp::ExportArrayApi(env, exports);
  return exports;
}
