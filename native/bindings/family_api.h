// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace mp {

void ExportFamilyApi(napi_env env, napi_value exports);

}  // namespace mp
