// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

void ExportSocketApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
