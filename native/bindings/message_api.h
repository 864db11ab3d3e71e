// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace mp {

// Adds the functions of lib/native/addon.ts that receive and send.
void ExportMessageApi(napi_env env, napi_value exports);

}  // namespace mp
