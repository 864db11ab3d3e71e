// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace mp {

// Adds the functions of lib/native/addon.ts that make, find and wait for endpoints, and the status
// codes.
void ExportEndpointApi(napi_env env, napi_value exports);

}  // namespace mp
