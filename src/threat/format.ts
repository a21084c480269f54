/** `0.03137 (8/255)`: the number, and the fraction of 255 where it is one (or half of one). */
export const formatEpsilon = (epsilon: number): string => {
  const text = String(Number(epsilon.toPrecision(4)));
  const steps = epsilon * 255,
    halves = Math.round(2 * steps) / 2;
  return steps > 0 && steps < 255 && Math.abs(steps - halves) < 1e-6 ? `${text} (${halves}/255)` : text;
};
