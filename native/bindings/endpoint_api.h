// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

// Adds the functions of lib/native/addon.ts that make, find and wait for endpoints, and the status
// codes.
void ExportEndpointApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
