// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace mp {

void ExportArrayApi(napi_env env, napi_value exports);

}  // namespace mp
