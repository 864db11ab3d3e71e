// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

namespace mp {

void ExportQueueApi(napi_env env, napi_value exports);

}  // namespace mp
