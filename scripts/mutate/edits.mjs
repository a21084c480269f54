// Well-formed files that lie: the objects of a message are changed and written again, so that the damage gets past the
// reader and meets the checks behind it.
import { createRng } from "temper/core";

const NUMBERS = [0, 1, -1, 2, 7, 255, 65536, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, 2 ** 40, 2 ** 53 - 1, -(2 ** 53 - 1)];
const BYTES = [[], [0], [255], [128], [0, 0, 0, 0], [0, 0, 192, 127], [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]];

/** Every place in a tree of messages: the object or list, the key in it, and the name of the field. */
const placesIn = (tree) => {
  const found = [];
  const visit = (holder, key, field) => {
    const value = holder[key];
    found.push({ holder, key, field });
    if (value === null || typeof value !== "object" || value instanceof Uint8Array) return;
    for (const inner of Object.keys(value)) visit(value, inner, Array.isArray(value) ? field : inner);
  };
  for (const key of Object.keys(tree)) visit(tree, key, key);
  return found;
};

const changed = (rng, value) => {
  if (typeof value === "number" || typeof value === "bigint") return NUMBERS[rng.int(NUMBERS.length)];
  if (typeof value === "string") return ["", `${value}x`, value.slice(1), "../x", "x".repeat(5000)][rng.int(5)];
  if (value instanceof Uint8Array)
    return rng.uniform() < 0.5
      ? value.slice(0, rng.int(value.length + 1))
      : Uint8Array.from(BYTES[rng.int(BYTES.length)]);
  return undefined;
};

const remove = ({ holder, key }) => {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else delete holder[key];
};

const edit = (rng, tree) => {
  const places = placesIn(tree);
  if (places.length === 0) return;
  const place = places[rng.int(places.length)];
  const { holder, key, field } = place;
  const kind = rng.uniform();
  const value = changed(rng, holder[key]);
  if (kind < 0.45 && value !== undefined) holder[key] = value;
  else if (kind < 0.6) remove(place);
  else if (kind < 0.7 && Array.isArray(holder))
    holder.splice(rng.int(holder.length + 1), 0, structuredClone(holder[key]));
  else {
    const others = places.filter(
      (other) => other.field === field && Array.isArray(other.holder) === Array.isArray(holder),
    );
    const other = others[rng.int(others.length)];
    holder[key] = structuredClone(other.holder[other.key]);
  }
};

/** A copy of a message with one to three fields changed, taken out, doubled or exchanged; fixed by (seed, index). */
export const edited = (message, seed, index) => {
  const rng = createRng(seed).split(`edit ${index}`);
  const tree = structuredClone(message);
  for (let i = 1 + rng.int(3); i > 0; i--) edit(rng, tree);
  return tree;
};
