import type { Rng } from "../core/index.ts";
import type { Drawing, Point, Stroke } from "./glyph-strokes.ts";

/** Width and height of a glyph in pixels. */
export const GLYPH_SIZE = 28;

const AREA = GLYPH_SIZE * GLYPH_SIZE;
const CENTRE = (GLYPH_SIZE - 1) / 2;
/** Half the height of an unscaled digit, in pixels. */
const HALF_HEIGHT = 8.6;
/** Straight pieces that stand for the curve between two points. */
const PIECES = 5;

type Move = (point: Point) => Point;

const between = (rng: Rng, low: number, high: number): number => low + (high - low) * rng.uniform();

/** A smooth random displacement of the plane: it bends strokes but keeps points that touch together. */
const randomWarp = (rng: Rng): Move => {
  const waves = Array.from({ length: 3 }, () => ({
    kx: between(rng, -3.2, 3.2),
    ky: between(rng, -3.2, 3.2),
    phase: between(rng, 0, 2 * Math.PI),
    dx: between(rng, -0.085, 0.085),
    dy: between(rng, -0.085, 0.085),
  }));
  return ([x, y]) => {
    let u = x,
      v = y;
    for (const { kx, ky, phase, dx, dy } of waves) {
      const height = Math.sin(kx * x + ky * y + phase);
      u += dx * height;
      v += dy * height;
    }
    return [u, v];
  };
};

/** Rotation, shear, scale, aspect and shift, from drawing units to pixels. */
const randomPlacement = (rng: Rng): Move => {
  const angle = between(rng, -0.26, 0.26),
    shear = between(rng, -0.25, 0.25);
  const scale = HALF_HEIGHT * between(rng, 0.82, 1.12),
    aspect = between(rng, 0.85, 1.2);
  const left = CENTRE + between(rng, -2.2, 2.2),
    top = CENTRE + between(rng, -2.2, 2.2);
  const cos = Math.cos(angle),
    sin = Math.sin(angle);
  return ([x, y]) => {
    const u = scale * aspect * (x - shear * y),
      v = scale * y;
    return [left + cos * u - sin * v, top + sin * u + cos * v];
  };
};

/** Value at `t` in [0, 1] between b and c of the curve through a, b, c, d (Catmull and Rom 1974, uniform). */
const spline = (a: number, b: number, c: number, d: number, t: number): number =>
  b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

/** The corners of a chain of straight pieces along the stroke. */
const flatten = ({ form }: Stroke, points: readonly Point[]): Point[] => {
  if (form === "straight") return [...points];
  const n = points.length;
  const at = (i: number): Point => points[form === "closed" ? (i + n) % n : Math.min(n - 1, Math.max(0, i))]!;
  const spans = form === "closed" ? n : n - 1;
  const chain: Point[] = [at(0)];
  for (let i = 0; i < spans; i++) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    for (let k = 1; k <= PIECES; k++)
      chain.push([spline(a[0], b[0], c[0], d[0], k / PIECES), spline(a[1], b[1], c[1], d[1], k / PIECES)]);
  }
  return chain;
};

/** Raises the ink near the piece from p to q to its coverage: 1 inside the pen's width, 0 beyond, linear between. */
const drawPiece = (ink: Float64Array, [px, py]: Point, [qx, qy]: Point, radius: number): void => {
  const reach = radius + 0.5;
  const dx = qx - px,
    dy = qy - py;
  const length = dx * dx + dy * dy;
  const clip = (v: number): number => Math.min(GLYPH_SIZE - 1, Math.max(0, v));
  const right = clip(Math.floor(Math.max(px, qx) + reach)),
    bottom = clip(Math.floor(Math.max(py, qy) + reach));
  for (let y = clip(Math.ceil(Math.min(py, qy) - reach)); y <= bottom; y++)
    for (let x = clip(Math.ceil(Math.min(px, qx) - reach)); x <= right; x++) {
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - px) * dx + (y - py) * dy) / length));
      const away = Math.hypot(x - px - along * dx, y - py - along * dy);
      const cover = Math.min(1, reach - away);
      const at = y * GLYPH_SIZE + x;
      if (cover > ink[at]!) ink[at] = cover;
    }
};

/** Nearly normal noise, mean 0 and deviation 1: four bytes of one random word added up (exact on every machine). */
const noise = (rng: Rng): number => {
  const word = rng.uniform() * 4294967296;
  const bytes = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24);
  return (bytes - 510) / 147.8;
};

/**
 * Draws a digit with random bends, placement, pen width, brightness and noise.
 *
 * @param out  784 bytes, row-major; 0 is background, 255 full ink
 */
export const renderGlyph = (drawing: Drawing, rng: Rng, out: Uint8Array): void => {
  const warp = randomWarp(rng),
    place = randomPlacement(rng);
  const radius = between(rng, 0.9, 1.6),
    brightness = between(rng, 0.75, 1),
    grain = between(rng, 0.02, 0.06);
  const ink = new Float64Array(AREA);
  for (const stroke of drawing) {
    const chain = flatten(stroke, stroke.points.map(warp)).map(place);
    for (let i = 0; i + 1 < chain.length; i++) drawPiece(ink, chain[i]!, chain[i + 1]!, radius);
  }
  for (let i = 0; i < AREA; i++)
    out[i] = Math.round(255 * Math.min(1, Math.max(0, brightness * ink[i]! + grain * noise(rng))));
};
