// SPDX-License-Identifier: MIT
#pragma once

#include <napi.h>

namespace mp {

void ExportProcessApi(Napi::Env env, Napi::Object exports);

}  // namespace mp
