export interface Mutation {
  /** Number of the case; `mutation(bytes, seed, index)` makes it again. */
  readonly index: number;
  /** Names of the kinds of damage, joined by `+`. */
  readonly kind: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}
export declare const mutation: (
  bytes: Uint8Array,
  seed: number,
  index: number,
  targets?: readonly number[],
) => Mutation;
export declare const mutations: (
  bytes: Uint8Array,
  seed: number,
  count: number,
  targets?: readonly number[],
) => Generator<Mutation>;
export declare const protobufTargets: (bytes: Uint8Array) => number[];
