const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/** 2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!: all terms positive, so nothing cancels. */
const series = (x: number): number => {
  let term = x,
    sum = x;
  for (let n = 1; term > 1e-17 * sum; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
};

/** Laplace's continued fraction of erfc, evaluated from the back. */
const complement = (x: number): number => {
  let tail = x;
  for (let n = 60; n > 0; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
};

/** Error function in float64, relative error below 1e-14. Source: Abramowitz and Stegun 7.1.6 and 7.1.14. */
export const erf64 = (x: number): number => {
  if (x === 0 || Number.isNaN(x)) return x;
  const size = Math.abs(x);
  const value = size < 2.5 ? series(size) : size < 6 ? 1 - complement(size) : 1;
  return x < 0 ? -value : value;
};
