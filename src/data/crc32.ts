const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/**
 * CRC-32 of gzip, zip and PNG (polynomial 0xEDB88320, ISO 3309).
 *
 * @param crc  result of the bytes before these, to go on over several pieces
 */
export const crc32 = (bytes: Uint8Array, crc = 0): number => {
  let c = ~crc;
  for (let i = 0; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
};
