/**
 * Damaged files for tests: bit flips, truncations, lying lengths, insertions, splices. `mutations(bytes, seed, count)`
 * is the same list every time. It is plain JavaScript, because `scripts/mutate.mjs` runs it without a compiler.
 */
export { type Mutation, mutation, mutations, protobufTargets } from "../scripts/mutate/mutations.mjs";
