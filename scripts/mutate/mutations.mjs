// Damages files in ways that reading code gets wrong. Every case is fixed by (seed, index): a failure can be replayed.
import { createRng } from "temper/core";

const int = (rng, low, high) => low + rng.int(Math.max(1, high - low + 1));

/** Mostly near the beginning or the end, where headers and tables lie, or at a target; sometimes anywhere. */
const position = (rng, length, targets) => {
  const kind = rng.uniform();
  if (targets.length > 0 && kind < 0.5) return targets[rng.int(targets.length)];
  if (kind < 0.75) return Math.min(length - 1, Math.floor(length ** rng.uniform()) - 1);
  if (kind < 0.85) return length - 1 - Math.min(length - 1, Math.floor(length ** rng.uniform()) - 1);
  return rng.int(length);
};

const EXTREMES = [
  [0],
  [1],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0x7f],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0x7f, 0xff, 0xff, 0xff],
  [0, 0, 0, 0x80],
  [0x80, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x30],
  [0x39, 0x39, 0x39, 0x39],
  [0x2d, 0x31],
];

const replace = (bytes, at, removed, added) => {
  const out = new Uint8Array(bytes.length - removed + added.length);
  out.set(bytes.subarray(0, at));
  out.set(added, at);
  out.set(bytes.subarray(at + removed), at + added.length);
  return out;
};

const stretch = (rng, bytes, targets) => {
  const at = position(rng, bytes.length, targets);
  const length = Math.min(bytes.length - at, Math.floor(Math.min(bytes.length, 4096) ** rng.uniform()));
  return [at, Math.max(1, length)];
};

/** Name -> (rng, bytes, positions of interest) -> damaged copy. */
const KINDS = {
  bit: (rng, bytes, targets) => {
    const out = bytes.slice();
    out[position(rng, bytes.length, targets)] ^= 1 << rng.int(8);
    return out;
  },
  byte: (rng, bytes, targets) => {
    const out = bytes.slice();
    out[position(rng, bytes.length, targets)] = rng.int(256);
    return out;
  },
  nudge: (rng, bytes, targets) => {
    const out = bytes.slice();
    out[position(rng, bytes.length, targets)] += int(rng, -2, 2);
    return out;
  },
  overwrite: (rng, bytes, targets) => {
    const value = EXTREMES[rng.int(EXTREMES.length)];
    const at = position(rng, bytes.length, targets);
    return replace(bytes, at, Math.min(value.length, bytes.length - at), value);
  },
  exchange: (rng, bytes, targets) =>
    replace(bytes, position(rng, bytes.length, targets), 1, EXTREMES[rng.int(EXTREMES.length)]),
  truncate: (rng, bytes) => bytes.slice(0, position(rng, bytes.length, [])),
  remove: (rng, bytes, targets) => replace(bytes, ...stretch(rng, bytes, targets), []),
  insert: (rng, bytes, targets) => {
    const added = Uint8Array.from({ length: int(rng, 1, 16) }, () => rng.int(256));
    return replace(bytes, position(rng, bytes.length, targets), 0, added);
  },
  splice: (rng, bytes, targets) => {
    const [from, length] = stretch(rng, bytes, targets);
    return replace(bytes, position(rng, bytes.length, targets), 0, bytes.subarray(from, from + length));
  },
  copyOver: (rng, bytes, targets) => {
    const out = bytes.slice();
    const [from, length] = stretch(rng, bytes, targets);
    out.copyWithin(position(rng, bytes.length, targets), from, from + length);
    return out;
  },
  zero: (rng, bytes, targets) => {
    const out = bytes.slice();
    const [at, length] = stretch(rng, bytes, targets);
    return out.fill(0, at, at + length);
  },
};
const NAMES = Object.keys(KINDS);

/** Case `index` of a seed: one to four kinds of damage, one after the other. */
export const mutation = (bytes, seed, index, targets = []) => {
  const rng = createRng(seed).split(index);
  const names = Array.from({ length: rng.uniform() < 0.6 ? 1 : int(rng, 2, 4) }, () => NAMES[rng.int(NAMES.length)]);
  let out = bytes.slice();
  for (const name of names)
    if (out.length > 0)
      out = KINDS[name](
        rng,
        out,
        targets.filter((t) => t < out.length),
      );
  return { index, kind: names.join("+"), bytes: out };
};

/** Cases 0 .. count-1 of a seed. */
export const mutations = function* (bytes, seed, count, targets = []) {
  for (let index = 0; index < count; index++) yield mutation(bytes, seed, index, targets);
};

const readVarint = (bytes, at, end) => {
  let value = 0;
  for (let i = 0; i < 10 && at < end; i++) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return [value, at];
  }
  return undefined;
};

/** Where the tags and lengths of a protocol-buffer message stand, nested ones too: positions to damage. */
export const protobufTargets = (bytes) => {
  const visit = (start, end, depth) => {
    const found = [];
    for (let at = start; at < end;) {
      const tag = readVarint(bytes, at, end);
      if (tag === undefined || tag[0] < 8) return undefined;
      found.push(at);
      const type = tag[0] & 7;
      const value = type === 0 || type === 2 ? readVarint(bytes, tag[1], end) : [0, tag[1] + (type === 1 ? 8 : 4)];
      if (value === undefined || type === 3 || type === 4 || type > 5) return undefined;
      found.push(tag[1]);
      const next = type === 2 ? value[1] + value[0] : value[1];
      if (next > end) return undefined;
      if (type === 2 && depth < 12) for (const one of visit(value[1], next, depth + 1) ?? []) found.push(one);
      at = next;
    }
    return found;
  };
  return visit(0, bytes.length, 0) ?? [];
};
