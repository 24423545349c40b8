# The addon by node-gyp, for machines without CMake. The same sources (native/sources.mjs) and flags
# as CMakeLists.txt.
{
  "variables": {
    "node_api_headers": "<!(node -p \"require('node-api-headers').include_dir\")",
    "node_addon_api": "<!(node -p \"require('node-addon-api').include_dir\")",
    "flags": ["-std=c++17", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden", "-ffp-contract=off"],
    "avx2_flags": ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2"],
    "avx512_flags": [
      "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512cd", "-mavx2", "-mfma",
      "-mf16c", "-mbmi", "-mbmi2", "-mprefer-vector-width=512"
    ]
  },
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti", "-O2"],
    "cflags_cc": ["<@(flags)"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off"]
    }
  },
  "targets": [
    {
      "target_name": "espalier_avx2",
      "type": "static_library",
      "conditions": [
        ["target_arch=='x64'", {
          "sources": ["<!@(node native/sources.mjs avx2)"],
          "cflags_cc": ["<@(avx2_flags)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(avx2_flags)"]}
        }, {"type": "none"}]
      ]
    },
    {
      "target_name": "espalier_avx512",
      "type": "static_library",
      "conditions": [
        ["target_arch=='x64'", {
          "sources": ["<!@(node native/sources.mjs avx512)"],
          "cflags_cc": ["<@(avx512_flags)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(avx512_flags)"]}
        }, {"type": "none"}]
      ]
    },
    {
      "target_name": "espalier",
      "dependencies": ["espalier_avx2", "espalier_avx512"],
      "include_dirs": ["<(node_api_headers)", "<(node_addon_api)"],
      "defines": ["NAPI_VERSION=8", "NAPI_CPP_EXCEPTIONS"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags!": ["-fno-exceptions"],
      "xcode_settings": {"GCC_ENABLE_CPP_EXCEPTIONS": "YES"},
      "sources": [
        "<!@(node native/sources.mjs common)",
        "<!@(node native/sources.mjs addon)"
      ],
      "conditions": [
        ["target_arch=='arm64'", {
          "sources": ["<!@(node native/sources.mjs neon)"]
        }],
        ["OS=='linux'", {"libraries": ["-pthread"]}]
      ]
    }
  ]
}
