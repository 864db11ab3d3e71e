{
  "variables": {
    # "node-gyp rebuild --sanitize=address|thread" builds an instrumented addon for the sanitizer runs.
    "sanitize%": "",
    "strict_warnings%": "<!(node -p \"process.env.CI ? 1 : 0\")",
  },
  "targets": [
    {
      "target_name": "multiprocessing",
      "defines": [
        "NAPI_VERSION=9",
        "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
      ],
      "sources": [
        "native/bindings/addon.cc",
        "native/bindings/endpoint_api.cc",
        "native/bindings/process_api.cc",
        "native/bindings/queue_api.cc",
        "native/bindings/semaphore_api.cc",
        "native/bindings/socket_api.cc",
        "native/bindings/transfer_api.cc",
        "native/environment/addon_env.cc",
        "native/environment/blocking.cc",
        "native/environment/environment_children.cc",
        "native/environment/environment_queues.cc",
        "native/environment/environment_semaphores.cc",
        "native/io/endpoint.cc",
        "native/io/frame.cc",
        "native/io/frame_reader.cc",
        "native/io/frame_writer.cc",
        "native/loop/poller.cc",
        "native/os/describe.cc",
        "native/os/guarded_mapping.cc",
        "native/os/sys.cc",
        "native/process/child_process.cc",
        "native/queue/feeder.cc",
        "native/queue/feeders.cc",
        "native/queue/queue_message.cc",
        "native/queue/queue_reader.cc",
        "native/queue/queue_recovery.cc",
        "native/queue/queue_slots.cc",
        "native/queue/queue_state.cc",
        "native/queue/queue_writer.cc",
        "native/queue/stream_record.cc",
        "native/queue/stream_repair.cc",
        "native/semaphores/family.cc",
        "native/semaphores/family_block.cc",
        "native/semaphores/family_register.cc",
        "native/semaphores/holder_evidence.cc",
        "native/semaphores/holder_table.cc",
        "native/semaphores/named_semaphore.cc",
        "native/semaphores/register_file.cc",
        "native/semaphores/register_folder.cc",
        "native/semaphores/resource.cc",
        "native/semaphores/resource_tracker.cc",
        "native/semaphores/semaphore_waiter.cc",
        "native/semaphores/tracked_semaphore.cc",
        "native/sockets/socket_address.cc",
        "native/sockets/stream_socket.cc",
      ],
      "include_dirs": ["native"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
      "cflags_cc": [
        "-std=c++20",
        "-fvisibility=hidden",
        "-fvisibility-inlines-hidden",
        "-Wall",
        "-Wextra",
      ],
      "conditions": [
        ["OS=='linux'", {
          "sources": [
            "native/loop/event_set_epoll.cc",
            "native/os/glibc_compat.cc",
            "native/os/platform_linux.cc",
            "native/os/processes_linux.cc",
            "native/sockets/stream_socket_linux.cc",
          ],
        }],
        ["OS=='mac'", {
          "sources": [
            "native/loop/event_set_kqueue.cc",
            "native/os/platform_darwin.cc",
            "native/os/processes_darwin.cc",
            "native/sockets/stream_socket_darwin.cc",
          ],
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
          },
        }],
        ["strict_warnings==1", {"cflags_cc": ["-Werror"]}],
        # Without default libraries every symbol binds to what the node process itself has loaded, so the binary
        # requires no particular version of glibc or libstdc++. -z nodelete keeps the code mapped, since native threads
        # outlive the worker that loaded it. Binding symbols at their first call, instead of all at once, halves the
        # time and the memory that loading takes in every child process.
        ["OS=='linux' and sanitize==''", {
          "ldflags": ["-nodefaultlibs", "-Wl,-z,nodelete", "-Wl,-z,lazy", "-Wl,-z,relro", "-Wl,--exclude-libs,ALL"],
          "libraries!": ["-lstdc++"],
        }],
        # The functions that choose between kinds of atomic instructions at run time are in libgcc, which is not linked.
        ["OS=='linux' and sanitize=='' and target_arch=='arm64'", {"cflags_cc": ["-mno-outline-atomics"]}],
        ["OS=='linux' and sanitize=='address'", {
          "cflags_cc": ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"],
          "ldflags": ["-fsanitize=address,undefined", "-Wl,-z,nodelete"],
        }],
        ["OS=='linux' and sanitize=='thread'", {
          "cflags_cc": ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=thread"],
          "ldflags": ["-fsanitize=thread", "-Wl,-z,nodelete"],
        }],
      ],
    },
  ],
}
