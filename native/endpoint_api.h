// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

// Adds the functions that lib/native.ts declares to the addon's exports.
void ExportEndpointApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
