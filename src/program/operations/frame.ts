import type { OneInput, OperationDefinition } from '../definition.js';
import { bad, counts, inputFeatures, limited, natural, oneOf } from '../expect.js';
import { frameFloats, placeOf, planeFloats, type FrameSize } from '../images.js';
import { numbered, readChoice, readNumbers } from '../stored.js';

const FILLS = ['zero', 'lowest'] as const;
export type Fill = (typeof FILLS)[number];

/**
 * Planes to a frame: row y goes to row top + y * upY of the padded plane, column x likewise; the rest is filled with 0 or
 * with the lowest number. The padded plane is stored in strideY x strideX phases.
 */
export interface Frame extends OneInput<'frame'>, FrameSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly top: number;
  readonly left: number;
  readonly upY: number;
  readonly upX: number;
  readonly fill: Fill;
}

const EXTENTS = [
  ...(['channels', 'height', 'width', 'top', 'left', 'upY', 'upX'] as const),
  ...(['frameHeight', 'frameWidth', 'strideY', 'strideX'] as const),
] as const;
const KEYS = [...EXTENTS, 'fill'] as const;

export const frame: OperationDefinition<Frame> = {
  op: 'frame',
  manyInputs: false,
  choices: { fill: FILLS },
  computes: 'planes with padding around them, as windows read them',
  keys: { frame: `[${KEYS.join(', ')}], fill: ${numbered(FILLS)}` },
  features(o, [input]) {
    counts(o, [
      'channels',
      'height',
      'width',
      'upY',
      'upX',
      'frameHeight',
      'frameWidth',
      'strideY',
      'strideX',
    ]);
    natural(o.top, `${o.name}.top`);
    natural(o.left, `${o.name}.left`);
    oneOf(o.fill, FILLS, `${o.name}.fill`);
    const bottom = o.top + (o.height - 1) * o.upY + 1;
    const right = o.left + (o.width - 1) * o.upX + 1;
    if (bottom > o.frameHeight || right > o.frameWidth) {
      const received = [o.height, o.width];
      throw bad(`${o.name}: the image`, `inside of ${o.frameHeight} x ${o.frameWidth}`, received);
    }
    inputFeatures(input, o.channels * planeFloats(o.height * o.width), o.name);
    return limited(o.channels * frameFloats(o), o.name);
  },
  write: (o) => ({ frame: [...EXTENTS.map((key) => o[key]), FILLS.indexOf(o.fill)] }),
  read(json, { name }) {
    const { fill, ...extents } = readNumbers(json.frame, KEYS, `${name}.frame`);
    return { ...extents, fill: readChoice(FILLS, fill, `${name}.fill`) };
  },
  reference(o, [x = []]) {
    const size = frameFloats(o);
    const y = new Array<number>(o.channels * size).fill(o.fill === 'zero' ? 0 : -Infinity);
    for (let channel = 0; channel < o.channels; channel++) {
      for (let at = 0; at < o.height * o.width; at++) {
        const [row, col] = [Math.floor(at / o.width), at % o.width];
        const place = placeOf(o, o.top + row * o.upY, o.left + col * o.upX);
        y[channel * size + place] = x[channel * planeFloats(o.height * o.width) + at] as number;
      }
    }
    return y;
  },
  cases: () => [
    {
      name: 'padded',
      inputs: [64],
      settings: {
        ...{ channels: 2, height: 3, width: 6, top: 1, left: 2, upY: 1, upX: 1 },
        ...{ frameHeight: 5, frameWidth: 9, strideY: 1, strideX: 1, fill: 'lowest' },
      },
    },
    {
      name: 'in phases, rows and columns apart',
      inputs: [32],
      settings: {
        ...{ channels: 1, height: 3, width: 6, top: 0, left: 1, upY: 2, upX: 3 },
        ...{ frameHeight: 6, frameWidth: 18, strideY: 2, strideX: 3, fill: 'zero' },
      },
    },
  ],
};
