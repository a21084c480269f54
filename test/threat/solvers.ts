/** Slow float64 projections that share no formula with the package: Dykstra's algorithm on ball and box. */

const l2Ball = (v: readonly number[], radius: number): number[] => {
  const norm = Math.sqrt(v.reduce((sum, a) => sum + a * a, 0));
  return norm <= radius ? [...v] : v.map((a) => (radius === 0 ? 0 : (a * radius) / norm));
};

/** Projection onto the l1 ball by sorting (Held, Wolfe, Crowder 1974). */
const l1Ball = (v: readonly number[], radius: number): number[] => {
  if (v.reduce((sum, a) => sum + Math.abs(a), 0) <= radius) return [...v];
  if (radius === 0) return v.map(() => 0);
  const sorted = v.map(Math.abs).sort((a, b) => b - a);
  let sum = 0,
    lambda = 0;
  sorted.forEach((a, i) => {
    sum += a;
    const candidate = (sum - radius) / (i + 1);
    if (candidate < a) lambda = candidate;
  });
  return v.map((a) => Math.sign(a) * Math.max(Math.abs(a) - lambda, 0));
};

/** Nearest point of {|u| <= radius, lo <= u <= hi} to v. Converges to the exact projection (Boyle, Dykstra 1986). */
export const dykstra = (
  norm: "l1" | "l2",
  v: readonly number[],
  radius: number,
  lo: readonly number[],
  hi: readonly number[],
): number[] => {
  const ball = norm === "l1" ? l1Ball : l2Ball;
  let u = [...v],
    p = v.map(() => 0),
    q = v.map(() => 0);
  for (let i = 0; i < 20_000; i++) {
    const y = ball(
      u.map((a, k) => a + p[k]!),
      radius,
    );
    p = u.map((a, k) => a + p[k]! - y[k]!);
    const next = y.map((a, k) => Math.min(hi[k]!, Math.max(lo[k]!, a + q[k]!)));
    q = y.map((a, k) => a + q[k]! - next[k]!);
    const moved = Math.max(...next.map((a, k) => Math.abs(a - u[k]!) + Math.abs(a - y[k]!)));
    u = next;
    if (moved < 1e-13) break;
  }
  return u;
};
