let scratch = new Float32Array(0);

/**
 * The k-th largest of the first d values (k from 1 to d), by quickselect: linear time on average, no sorting.
 * They must hold no NaN.
 */
export const kthLargest = (values: Float32Array, d: number, k: number): number => {
  if (scratch.length < d) scratch = new Float32Array(d);
  const a = scratch;
  for (let i = 0; i < d; i++) a[i] = values[i]!;
  const target = k - 1;
  let left = 0,
    right = d - 1;
  while (left < right) {
    const pivot = middleOf(a[left]!, a[(left + right) >> 1]!, a[right]!);
    let i = left,
      j = right;
    while (i <= j) {
      while (a[i]! > pivot) i++;
      while (a[j]! < pivot) j--;
      if (i > j) break;
      const held = a[i]!;
      a[i++] = a[j]!;
      a[j--] = held;
    }
    if (target <= j) right = j;
    else if (target >= i) left = i;
    else return pivot;
  }
  return a[target]!;
};

const middleOf = (a: number, b: number, c: number): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
