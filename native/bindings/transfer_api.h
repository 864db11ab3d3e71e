// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

// Adds the functions of lib/native/addon.ts that receive and send.
void ExportTransferApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
