// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace mp {

void ExportLeaseApi(napi_env env, napi_value exports);

}  // namespace mp
