// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

void ExportQueueApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
