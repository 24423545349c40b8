/**
 * Where TensorFlow's C library comes from: the PyPI wheel for each platform, pinned by its hash.
 * The wheel for CPython 3.11 serves whatever Python is there: nothing of it but libraries and headers is used.
 */
import { EspalierError } from '../errors.js';

export interface Wheel {
  /** The PyPI project. */
  project: string;
  version: string;
  /** pip's platform tag. */
  platform: string;
  sha256: string;
  /** Bytes of the download, for its progress. */
  bytes: number;
  /** The libraries in the wheel's tensorflow/ folder: the C API, then what it links to. */
  libraries: readonly [string, string];
  /**
   * Names that tfjs-node links and loads → the library. VERSION stands for the libtensorflow version in
   * tfjs-node's scripts/deps-constants.js: where that file is there, its installer downloads nothing.
   */
  links: Readonly<Record<string, string>>;
}

const LINUX = {
  version: '2.21.0',
  libraries: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  links: {
    'libtensorflow.so': 'libtensorflow_cc.so.2',
    'libtensorflow.so.2': 'libtensorflow_cc.so.2',
    'libtensorflow.so.VERSION': 'libtensorflow_cc.so.2',
    'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
  },
} as const;

/** Keys are `${process.platform}-${process.arch}`. */
export const WHEELS: Readonly<Record<string, Wheel>> = {
  'linux-x64': {
    ...LINUX,
    project: 'tensorflow-cpu',
    platform: 'manylinux_2_27_x86_64',
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
    bytes: 273_829_956,
  },
  'linux-arm64': {
    ...LINUX,
    project: 'tensorflow',
    platform: 'manylinux_2_27_aarch64',
    sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
    bytes: 281_828_020,
  },
  'darwin-arm64': {
    project: 'tensorflow',
    version: '2.21.0',
    platform: 'macosx_12_0_arm64',
    sha256: '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
    bytes: 223_405_849,
    libraries: ['libtensorflow_cc.2.dylib', 'libtensorflow_framework.2.dylib'],
    links: {
      'libtensorflow.dylib': 'libtensorflow_cc.2.dylib',
      'libtensorflow.2.dylib': 'libtensorflow_cc.2.dylib',
      'libtensorflow_framework.dylib': 'libtensorflow_framework.2.dylib',
    },
  },
};

/** The headers that tfjs-node's binding reads, under the wheel's tensorflow/include/. */
export const HEADERS = [
  ...[
    'c_api',
    'c_api_macros',
    'tf_attrtype',
    'tf_buffer',
    'tf_datatype',
    'tf_status',
    'tf_tensor',
    'tf_tstring',
  ].map((name) => `tensorflow/c/${name}.h`),
  'tensorflow/c/eager/c_api.h',
  ...['tensorflow/core', 'tsl'].flatMap((room) => [
    `${room}/platform/ctstring.h`,
    `${room}/platform/ctstring_internal.h`,
  ]),
  'xla/tsl/c/tsl_status.h',
] as const;

/** Throws TENSORFLOW_MISSING where PyPI has no wheel for this platform. */
export function wheelFor(platform: string, arch: string): Wheel {
  const wheel = WHEELS[`${platform}-${arch}`];
  if (wheel !== undefined) return wheel;
  throw new EspalierError(
    'TENSORFLOW_MISSING',
    `platform: expected one of ${Object.keys(WHEELS).join(', ')} to set up tfjs-node, received ${platform}-${arch}. ` +
      'Inference with espalier needs no TensorFlow and works here; train on one of those platforms.',
    { parameter: 'platform', expected: Object.keys(WHEELS), received: `${platform}-${arch}` },
  );
}
