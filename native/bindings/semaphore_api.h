// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

void ExportSemaphoreApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
