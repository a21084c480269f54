import type { Fraction } from "../evaluate/index.ts";
import { interval, percent, significant, steps255 } from "./format.ts";
import { html, type Html } from "./html.ts";

/** A point of the accuracy curve. */
export interface CurvePoint {
  readonly epsilon: number;
  readonly accuracy: Fraction;
  /** `clean` is the point without attack, `main` the one at the epsilon of the verdict. */
  readonly kind: "clean" | "main" | "other";
}

/** Ticks at the measured epsilons, the main one first, as far as they find room; k/255 where all are such fractions. */
const epsilonTicks = (
  points: readonly CurvePoint[],
  X: (epsilon: number) => number,
  room: number,
): readonly { readonly x: number; readonly text: string }[] => {
  const in255 = points.every((p) => p.epsilon === 0 || steps255(p.epsilon) !== undefined);
  const taken: number[] = [];
  return [...points.filter((p) => p.kind !== "other"), ...points.filter((p) => p.kind === "other")].flatMap((p) => {
    const x = X(p.epsilon);
    if (taken.some((other) => Math.abs(other - x) < room)) return [];
    taken.push(x);
    return [{ x, text: p.epsilon > 0 && in255 ? `${steps255(p.epsilon)}/255` : significant(p.epsilon) }];
  });
};

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}
const meets = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

interface Placed {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

interface Mark {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly first: boolean;
}

/** Whether the line from a to b runs through the box, by walking along it. */
const runsThrough = (a: Mark, b: Mark, box: Box): boolean =>
  Array.from({ length: 33 }, (_, i) => i / 32).some((t) => {
    const x = a.x + t * (b.x - a.x),
      y = a.y + t * (b.y - a.y);
    return x > box.left && x < box.right && y > box.top && y < box.bottom;
  });

/**
 * Puts a label to the upper right of each point, else below it, else to its lower left, where it meets neither point,
 * line nor other label; else leaves it out (the table beside the chart has every figure). The clean and the main point
 * choose first.
 */
const placeLabels = (points: readonly Mark[], frame: Box, charWidth: number): readonly Placed[] => {
  const taken: Box[] = points.map(({ x, y, first }) => {
    const r = first ? 8 : 4;
    return { left: x - r, right: x + r, top: y - r, bottom: y + r };
  });
  const free = (box: Box): boolean =>
    box.left >= frame.left &&
    box.right <= frame.right &&
    box.bottom <= frame.bottom &&
    !taken.some((t) => meets(t, box)) &&
    !points.slice(1).some((b, i) => runsThrough(points[i]!, b, box));
  return [...points.filter((p) => p.first), ...points.filter((p) => !p.first)].flatMap(({ x, y, text, first }) => {
    const width = text.length * charWidth,
      gap = first ? 8 : 5;
    const at = (left: number, top: number): Box => ({ left, right: left + width, top, bottom: top + 14 });
    const box = [at(x + gap, y - 19), at(x - width / 2, y + 10), at(x - gap - width, y + 5)].find(free);
    if (!box) return [];
    taken.push(box);
    return [{ x: (box.left + box.right) / 2, y: box.bottom - 2, text }];
  });
};

const n = (x: number): string => String(Math.round(x * 100) / 100);

const marker = (x: number, y: number, kind: CurvePoint["kind"], title: string): Html => {
  const shape =
    kind === "clean"
      ? html`<rect class="mark clean" x="${n(x - 4.5)}" y="${n(y - 4.5)}" width="9" height="9" />`
      : kind === "main"
        ? html`<circle class="mark ring" cx="${n(x)}" cy="${n(y)}" r="8" /><circle
              class="mark dot"
              cx="${n(x)}"
              cy="${n(y)}"
              r="4.5"
            />`
        : html`<circle class="mark dot" cx="${n(x)}" cy="${n(y)}" r="4" />`;
  return html`<g class="point ${kind}">${shape}<title>${title}</title></g> `;
};

/**
 * Accuracy (0 to 100 %) against epsilon, with the 95 % band. Points are drawn in the order given, epsilon ascending.
 *
 * @param size  of the drawing in CSS pixels; give two sizes and let CSS choose, so that text keeps its size
 * @param label  the sentence that a screen reader says
 */
export const accuracyCurve = (
  points: readonly CurvePoint[],
  size: { readonly width: number; readonly height: number },
  label: string,
): Html => {
  const frame: Box = { left: 52, top: 22, right: size.width - 14, bottom: size.height - 46 };
  const max = Math.max(...points.map((p) => p.epsilon)) || 1;
  const plotRight = frame.right - 46; // room for the label of the last point
  const X = (e: number): number => frame.left + ((plotRight - frame.left) * e) / max;
  const Y = (share: number): number => frame.bottom - (frame.bottom - frame.top) * share;
  const path = (ends: readonly (readonly [number, number])[]): string =>
    ends.map(([x, y]) => `${n(x)},${n(y)}`).join(" ");
  const upper = points.map((p) => [X(p.epsilon), Y(p.accuracy.high)] as const),
    lower = points.map((p) => [X(p.epsilon), Y(p.accuracy.low)] as const).reverse();
  const labels = placeLabels(
    points.map((p) => ({
      x: X(p.epsilon),
      y: Y(p.accuracy.value),
      text: percent(p.accuracy.value),
      first: p.kind !== "other",
    })),
    { ...frame, right: size.width },
    7.2,
  );
  const ticks = epsilonTicks(points, X, 44);
  const middle = (frame.left + plotRight) / 2;
  return html`<svg class="chart" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${label}">
    ${[0, 0.25, 0.5, 0.75, 1].map(
      (share) =>
        html`<line class="grid" x1="${frame.left}" x2="${frame.right}" y1="${n(Y(share))}" y2="${n(Y(share))}" />
          <text class="tick" x="${frame.left - 8}" y="${n(Y(share) + 4)}" text-anchor="end">${100 * share} %</text> `,
    )}${ticks.map(
      ({ x, text }) =>
        html`<line class="axis" x1="${n(x)}" x2="${n(x)}" y1="${frame.bottom}" y2="${frame.bottom + 5}" />
          <text class="tick" x="${n(x)}" y="${frame.bottom + 19}" text-anchor="middle">${text}</text> `,
    )}
    <line class="axis" x1="${frame.left}" x2="${frame.right}" y1="${frame.bottom}" y2="${frame.bottom}" />
    <text class="title" x="${n(middle)}" y="${size.height - 6}" text-anchor="middle">
      epsilon: how far the attacker may go
    </text>
    <polygon class="band" points="${path([...upper, ...lower])}" />
    ${points
      .filter((p) => p.kind === "main")
      .map(
        (p) =>
          html`<line
            class="drop"
            x1="${n(X(p.epsilon))}"
            x2="${n(X(p.epsilon))}"
            y1="${n(Y(p.accuracy.value))}"
            y2="${frame.bottom}"
          />`,
      )}
    <polyline class="curve" points="${path(points.map((p) => [X(p.epsilon), Y(p.accuracy.value)]))}" />
    ${points.map((p) =>
      marker(
        X(p.epsilon),
        Y(p.accuracy.value),
        p.kind,
        `epsilon ${significant(p.epsilon)}: ${percent(p.accuracy.value)}, 95\u00a0% interval ${interval(p.accuracy)}`,
      ),
    )}${labels.map((l) => html`<text class="value" x="${n(l.x)}" y="${n(l.y)}" text-anchor="middle">${l.text}</text> `)}
  </svg>`;
};

/** Small pictures of the curve's signs, for the legend. */
export const legendMark = (kind: "clean" | "main" | "other" | "band"): Html => {
  const inner =
    kind === "band" ? html`<rect class="band" x="1" y="3" width="20" height="14" />` : marker(11, 10, kind, "");
  return html`<svg class="chart key" width="22" height="20" viewBox="0 0 22 20" aria-hidden="true">${inner}</svg>`;
};

/** One part of a {@link shareBar}: how much of the whole, and the CSS class that fills it. */
export interface Part {
  readonly share: number;
  readonly kind: string;
}

/**
 * A horizontal bar of parts of a whole, as wide as its container. Widths are percentages, so that it needs no fixed
 * size; patterns keep their scale.
 */
export const shareBar = (parts: readonly Part[]): Html => {
  let at = 0;
  const rects = parts.map(({ share, kind }) => {
    const rect =
      share > 0 && html`<rect class="${kind}" x="${n(100 * at)}%" width="${n(100 * share)}%" height="100%" />`;
    at += share;
    return rect;
  });
  return html`<svg class="bar" aria-hidden="true">${rects}</svg>`;
};

/** Hatching, which marks what an attack broke also without colour. Stands once in the page. */
export const patterns: Html = html`<svg class="defs" width="0" height="0" aria-hidden="true">
  <defs>
    <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect class="hatch-ground" width="6" height="6" />
      <rect class="hatch-line" width="2.4" height="6" />
    </pattern>
  </defs>
</svg>`;

/**
 * Values of a vector as thin bars about zero.
 *
 * @param bounds  the values at the lower and upper edge; zero is put between them where it lies
 */
export const valueBars = (values: ArrayLike<number>, bounds: readonly [number, number], label: string): Html => {
  const low = Math.min(0, bounds[0]),
    high = Math.max(0, bounds[1]),
    span = high - low || 1;
  const Y = (v: number): number => (100 * (high - Math.min(high, Math.max(low, v)))) / span;
  const step = 200 / Math.max(1, values.length);
  const bars = Array.from(values, (v, i) => {
    const top = Math.min(Y(0), Y(v)),
      height = Math.abs(Y(v) - Y(0));
    return html`<rect x="${n(i * step + step * 0.1)}" y="${n(top)}" width="${n(step * 0.8)}" height="${n(height)}" />`;
  });
  return html`<svg
    class="chart values"
    viewBox="0 0 200 100"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}"
  >
    ${bars}
    <line class="axis" x1="0" x2="200" y1="${n(Y(0))}" y2="${n(Y(0))}" />
  </svg>`;
};
