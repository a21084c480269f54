/** `0.03137 (8/255)`: the number, and the fraction of 255 where it is one. */
export const formatEpsilon = (epsilon: number): string => {
  const text = String(Number(epsilon.toPrecision(4)));
  const steps = epsilon * 255,
    whole = Math.round(steps);
  return whole > 0 && whole < 255 && Math.abs(steps - whole) < 1e-6 ? `${text} (${whole}/255)` : text;
};
