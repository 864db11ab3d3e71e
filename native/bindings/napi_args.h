// SPDX-License-Identifier: MIT
//
// Reads arguments, returns results and fills the exports. lib/ has validated what users pass. Here
// only what could corrupt memory is checked again.
//
// While a worker is being terminated every Node-API call that could run JavaScript fails, at any
// point of any function here. Such a failure needs no answer, since no JavaScript is left to see
// it. A null value that comes of it is a bad argument of the next call, which fails in turn.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "environment/addon_env.h"

namespace mp {

// The bytes of a Uint8Array argument. Valid until control returns to JavaScript.
struct Bytes {
  uint8_t* data = nullptr;
  size_t size = 0;
};

template <size_t N>
class Args {
 public:
  Args(napi_env env, napi_callback_info info) noexcept : env_(env) {
    size_t count = N;
    napi_get_cb_info(env, info, &count, values_, nullptr, nullptr);
  }

  AddonEnv& addon() const noexcept { return *AddonEnv::From(env_); }

  // As in JavaScript's own conversion, a missing value or one of another type is 0.
  int32_t Int(size_t index) const noexcept {
    int32_t value = 0;
    napi_get_value_int32(env_, values_[index], &value);
    return value;
  }

  double Number(size_t index) const noexcept {
    double value = 0;
    napi_get_value_double(env_, values_[index], &value);
    return value;
  }

  bool Flag(size_t index) const noexcept {
    bool value = false;
    napi_get_value_bool(env_, values_[index], &value);
    return value;
  }

  // A size or an offset. A value that does not fit a size_t becomes the largest one, so that a
  // check against a real size fails.
  size_t Size(size_t index) const noexcept {
    const double value = Number(index);
    if (!(value >= 0)) return 0;
    return value >= 9e15 ? SIZE_MAX : static_cast<size_t>(value);
  }

  // Empty for anything but a typed array, and for a detached one.
  mp::Bytes Bytes(size_t index) const noexcept {
    mp::Bytes bytes;
    napi_typedarray_type type{};
    void* data = nullptr;
    size_t length = 0;
    if (napi_get_typedarray_info(env_, values_[index], &type, &length, &data, nullptr, nullptr) !=
            napi_ok ||
        (type != napi_uint8_array && type != napi_int32_array)) {
      return bytes;
    }
    bytes.data = static_cast<uint8_t*>(data);
    bytes.size = data == nullptr ? 0 : length * (type == napi_int32_array ? sizeof(int32_t) : 1);
    return bytes;
  }

  // Empty for anything but a string.
  std::string String(size_t index) const {
    size_t size = 0;
    if (napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &size) != napi_ok) return {};
    std::string text(size, 0);
    napi_get_value_string_utf8(env_, values_[index], text.data(), size + 1, &size);
    return text;
  }

  napi_value Value(size_t index) const noexcept { return values_[index]; }

  napi_value Boolean(bool value) const noexcept {
    napi_value result = nullptr;
    napi_get_boolean(env_, value, &result);
    return result;
  }

  napi_value Text(const std::string& text) const noexcept {
    napi_value result = nullptr;
    napi_create_string_utf8(env_, text.c_str(), text.size(), &result);
    return result;
  }

  // An array whose element number i is make(i).
  template <typename Make>
  napi_value Array(size_t size, Make make) const {
    napi_value result = nullptr;
    napi_create_array_with_length(env_, size, &result);
    for (uint32_t i = 0; i < size; i++) napi_set_element(env_, result, i, make(i));
    return result;
  }

  napi_value Return(int64_t value) const noexcept {
    napi_value result = nullptr;
    if (value >= INT32_MIN && value <= INT32_MAX) {
      napi_create_int32(env_, static_cast<int32_t>(value), &result);
    } else {
      napi_create_double(env_, static_cast<double>(value), &result);
    }
    return result;
  }

 private:
  napi_env env_;
  napi_value values_[N] = {};
};

struct NamedFunction {
  const char* name;
  napi_callback function;
};

struct NamedNumber {
  const char* name;
  int64_t value;
};

template <size_t N>
void ExportFunctions(napi_env env, napi_value exports, const NamedFunction (&functions)[N]) {
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
}

template <size_t N>
void ExportNumbers(napi_env env, napi_value exports, const NamedNumber (&numbers)[N]) {
  for (const auto& [name, number] : numbers) {
    napi_value value = nullptr;
    napi_create_int64(env, number, &value);
    napi_set_named_property(env, exports, name, value);
  }
}

inline void ExportFlag(napi_env env, napi_value exports, const char* name, bool flag) {
  napi_value value = nullptr;
  napi_get_boolean(env, flag, &value);
  napi_set_named_property(env, exports, name, value);
}

// A new object as a property of the exports.
inline napi_value ExportObject(napi_env env, napi_value exports, const char* name) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  napi_set_named_property(env, exports, name, object);
  return object;
}

}  // namespace mp
