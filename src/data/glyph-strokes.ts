/** A point of a drawing: x to the right and y down, the digit fills about [-0.65, 0.65] x [-1, 1]. */
export type Point = readonly [x: number, y: number];

/** One movement of the pen: straight lines from point to point, or a smooth curve through them (open or closed). */
export interface Stroke {
  readonly form: "straight" | "smooth" | "closed";
  readonly points: readonly Point[];
}

/** The strokes of one way to write a digit. */
export type Drawing = readonly Stroke[];

const straight = (...points: Point[]): Stroke => ({ form: "straight", points });
const smooth = (...points: Point[]): Stroke => ({ form: "smooth", points });
const closed = (...points: Point[]): Stroke => ({ form: "closed", points });

const ZERO: Drawing = [
  closed([0, -1], [0.48, -0.7], [0.62, 0], [0.48, 0.7], [0, 1], [-0.48, 0.7], [-0.62, 0], [-0.48, -0.7]),
];

const ONE_STEM = straight([0.05, -1], [0.05, 1]);
const ONE_FLAG = straight([-0.38, -0.55], [0.05, -1], [0.05, 1]);

const TWO_TOP = smooth(
  [-0.55, -0.55],
  [-0.32, -0.9],
  [0.08, -1],
  [0.5, -0.78],
  [0.5, -0.35],
  [0.15, 0.15],
  [-0.3, 0.6],
  [-0.6, 1],
);

const THREE_BOTTOM: readonly Point[] = [
  [0.32, 0.05],
  [0.58, 0.42],
  [0.44, 0.84],
  [0, 1],
  [-0.52, 0.75],
];

const FIVE_BELLY = smooth(
  [-0.48, -0.12],
  [-0.05, -0.32],
  [0.44, -0.1],
  [0.56, 0.4],
  [0.3, 0.88],
  [-0.15, 1],
  [-0.56, 0.76],
);

const SEVEN = straight([-0.58, -1], [0.56, -1], [-0.12, 1]);

const NINE_LOOP = closed(
  [0.05, -1],
  [0.47, -0.8],
  [0.52, -0.45],
  [0.1, -0.1],
  [-0.38, -0.22],
  [-0.5, -0.62],
  [-0.3, -0.9],
);

/** Ways to write each digit, as common handwriting knows them. Index = digit. */
export const DRAWINGS: readonly (readonly Drawing[])[] = [
  [ZERO],
  [[ONE_STEM], [ONE_FLAG], [ONE_FLAG, straight([-0.4, 1], [0.48, 1])]],
  [
    [TWO_TOP, straight([-0.6, 1], [0.6, 1])],
    [TWO_TOP, smooth([-0.6, 1], [-0.25, 0.84], [0.15, 1], [0.62, 0.86])],
  ],
  [
    [
      smooth([-0.52, -0.76], [-0.1, -1], [0.4, -0.82], [0.44, -0.4], [0.12, -0.1], [-0.18, -0.06]),
      smooth([-0.18, -0.06], ...THREE_BOTTOM),
    ],
    [straight([-0.5, -1], [0.5, -1], [-0.08, -0.12]), smooth([-0.08, -0.12], ...THREE_BOTTOM)],
  ],
  [
    [straight([-0.3, -1], [-0.58, 0.25], [0.62, 0.25]), straight([0.26, -0.45], [0.26, 1])],
    [straight([0.3, 1], [0.3, -1], [-0.62, 0.35], [0.65, 0.35])],
  ],
  [
    [straight([0.52, -1], [-0.4, -1], [-0.48, -0.12]), FIVE_BELLY],
    [smooth([0.56, -0.94], [0.1, -1], [-0.4, -0.96]), straight([-0.4, -0.96], [-0.48, -0.12]), FIVE_BELLY],
  ],
  [
    [
      smooth(
        [0.42, -0.96],
        [-0.08, -0.78],
        [-0.48, -0.15],
        [-0.58, 0.42],
        [-0.34, 0.9],
        [0.1, 1],
        [0.5, 0.76],
        [0.52, 0.3],
        [0.14, 0.02],
        [-0.3, 0.14],
        [-0.56, 0.46],
      ),
    ],
    [
      smooth([0.16, -1], [-0.3, -0.5], [-0.55, 0.2]),
      closed([-0.55, 0.4], [-0.36, 0.9], [0.08, 1], [0.48, 0.78], [0.5, 0.32], [0.12, 0.04], [-0.36, 0.12]),
    ],
  ],
  [
    [SEVEN],
    [SEVEN, straight([-0.2, 0], [0.46, 0])],
    [straight([-0.58, -1], [0.56, -1]), smooth([0.56, -1], [0.16, -0.25], [-0.08, 0.4], [-0.14, 1])],
  ],
  [
    [
      closed([0, -1], [0.4, -0.78], [0.38, -0.3], [0, -0.05], [-0.38, -0.3], [-0.4, -0.78]),
      closed([0, -0.05], [0.48, 0.24], [0.52, 0.72], [0, 1], [-0.52, 0.72], [-0.48, 0.24]),
    ],
  ],
  [
    [NINE_LOOP, straight([0.52, -0.6], [0.38, 1])],
    [NINE_LOOP, smooth([0.52, -0.6], [0.52, 0.2], [0.28, 0.84], [-0.3, 0.96])],
  ],
];
