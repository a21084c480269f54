/** True where this machine stores the low byte first (all that Node and browsers run on today). */
export const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Copies `bytes` to memory of its own (so that any typed array may view it), each item of `width` bytes reversed. */
export const reverseItems = (bytes: Uint8Array, width: number): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(bytes.length);
  for (let item = 0; item + width <= bytes.length; item += width)
    for (let k = 0; k < width; k++) out[item + k] = bytes[item + width - 1 - k]!;
  return out;
};

/** Items of `width` bytes in the given byte order, as a copy in this machine's order. */
export const nativeItems = (bytes: Uint8Array, width: number, littleEndian: boolean): Uint8Array<ArrayBuffer> =>
  littleEndian === LITTLE_ENDIAN || width === 1 ? new Uint8Array(bytes) : reverseItems(bytes, width);
