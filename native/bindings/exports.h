// SPDX-License-Identifier: MIT
//
// The parts of the addon's exports, which lib/native/addon.ts declares and documents.
#pragma once

#include <node_api.h>

namespace mp {

// Makes, finds and waits for endpoints, and has the status codes.
void ExportEndpointApi(napi_env env, napi_value exports);
// Receives and sends.
void ExportMessageApi(napi_env env, napi_value exports);
void ExportSemaphoreApi(napi_env env, napi_value exports);
void ExportFamilyApi(napi_env env, napi_value exports);
void ExportProcessApi(napi_env env, napi_value exports);
void ExportSocketApi(napi_env env, napi_value exports);
void ExportQueueApi(napi_env env, napi_value exports);
void ExportLeaseApi(napi_env env, napi_value exports);
void ExportSharedMemoryApi(napi_env env, napi_value exports);
void ExportArrayApi(napi_env env, napi_value exports);

}  // namespace mp
