// SPDX-License-Identifier: MIT
//
// Families and the folders of their registers, as lib/native/addon.ts declares them. The rules are
// those of endpoint_api.cc.
#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/exports.h"
#include "bindings/napi_args.h"
#include "os/platform.h"
#include "recovery/stream_record.h"
#include "registers/register_file.h"
#include "registers/register_folder.h"
#include "semaphores/family.h"
#include "semaphores/holder_table.h"
#include "semaphores/named_semaphore.h"

namespace mp {

namespace {

// folders(): the folders of this user's registers, or -errno.
napi_value Folders(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::vector<std::string> folders;
  const int status = OwnFolders(&folders);
  if (status < 0) return args.Return(status);
  if (folders.empty()) folders.push_back(UsualFolder());
  return args.Array(folders.size(), [&](uint32_t i) { return args.Text(folders[i]); });
}

// list(folder): an array of names, or -errno.
napi_value List(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::vector<std::string> families;
  const int status = ListFamilies(args.String(0), &families);
  if (status < 0) return args.Return(status);
  return args.Array(families.size(), [&](uint32_t i) { return args.Text(families[i]); });
}

// names(folder, family): an array of [name, label, whether the semaphore exists], or -errno.
napi_value Names(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  std::vector<RegisteredName> names;
  const int status = ReadRegister(args.String(0), args.String(1), &names);
  if (status < 0) return args.Return(status);
  return args.Array(names.size(), [&](uint32_t i) {
    return args.Array(3, [&](uint32_t field) {
      if (field == 2) return args.Boolean(names[i].exists);
      return args.Text(field == 0 ? names[i].name : names[i].label);
    });
  });
}

// semaphore(name): [value, number of sleepers], each -1 where the system does not tell; or -errno.
napi_value LookAtSemaphore(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::shared_ptr<NamedSemaphore> semaphore;
  const int status = NamedSemaphore::Open(args.String(0), false, 0, &semaphore);
  if (status < 0) return args.Return(status);
  const int value = std::max(semaphore->Value(), -1);
  const auto* word = platform::WordOf(semaphore->get());
  const int sleepers = word == nullptr ? -1 : static_cast<int>(word->data.load() >> 32);
  return args.Array(2, [&](uint32_t field) { return args.Return(field == 0 ? value : sleepers); });
}

// holders(folder, family): an array of [number of the lock, pid], or -errno.
napi_value Holders(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  std::shared_ptr<HolderTable> table;
  const std::string path = args.String(0) + '/' + register_file::HoldersFile(args.String(1));
  const int status = HolderTable::Open(path, false, &table);
  if (status < 0) return args.Return(status);
  const std::vector<HolderTable::Holding> found = table->Holdings();
  return args.Array(found.size(), [&](uint32_t i) {
    return args.Array(2, [&](uint32_t field) {
      return args.Return(field == 0 ? found[i].number : found[i].pid);
    });
  });
}

// queue(folder, family, number): [items put, got, lost, whether all members count], or -errno.
napi_value LookAtQueue(napi_env env, napi_callback_info info) {
  const Args<3> args(env, info);
  StreamTotals totals;
  const int status = ReadStreamTotals(args.String(0), args.String(1),
                                      static_cast<uint32_t>(args.Size(2)), &totals);
  if (status < 0) return args.Return(status);
  const uint64_t fields[] = {totals.put, totals.got, totals.lost, totals.kept ? 1u : 0u};
  return args.Array(std::size(fields), [&](uint32_t field) {
    return args.Return(static_cast<int64_t>(fields[field]));
  });
}

// members(folder): an array of [family, pid], or -errno.
napi_value Members(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::vector<std::pair<std::string, pid_t>> members;
  const int status = ListMembers(args.String(0), &members);
  if (status < 0) return args.Return(status);
  return args.Array(members.size(), [&](uint32_t i) {
    return args.Array(2, [&](uint32_t field) {
      return field == 0 ? args.Text(members[i].first) : args.Return(members[i].second);
    });
  });
}

// own(): the name and the descriptor of the family in which this process creates semaphores,
// or undefined if it has created none and inherited none.
napi_value Own(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  const std::shared_ptr<Family> own = Family::OwnIfAny();
  napi_value out = nullptr;
  if (!own) return out;
  napi_create_object(env, &out);
  napi_set_named_property(env, out, "family", args.Text(own->name()));
  napi_set_named_property(env, out, "fd", args.Return(own->fd()));
  return out;
}

// inherit(family, fd)
napi_value Inherit(napi_env env, napi_callback_info info) {
  const Args<2> args(env, info);
  return args.Return(Family::Inherit(args.String(0), UniqueFd(args.Int(1))));
}

// sweep(folder): an array of [family, number of names], or -errno.
napi_value SweepFolder(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info);
  std::vector<SweptFamily> swept;
  const int status = Sweep(args.String(0), &swept);
  if (status < 0) return args.Return(status);
  return args.Array(swept.size(), [&](uint32_t i) {
    return args.Array(2, [&](uint32_t field) {
      return field == 0 ? args.Text(swept[i].family) : args.Return(swept[i].names);
    });
  });
}

}  // namespace

void ExportFamilyApi(napi_env env, napi_value exports) {
  const NamedFunction functions[] = {
      {"own", Own},           {"inherit", Inherit},
      {"folders", Folders},   {"list", List},
      {"names", Names},       {"members", Members},
      {"sweep", SweepFolder}, {"semaphore", LookAtSemaphore},
      {"holders", Holders},   {"queue", LookAtQueue},
  };
  ExportFunctions(env, ExportObject(env, exports, "families"), functions);
}

}  // namespace mp
