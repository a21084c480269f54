/** @param polynomial  with its bits reflected */
const createCrc = (polynomial: number) => {
  const table = Int32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    return c;
  });
  return (bytes: Uint8Array, crc = 0): number => {
    let c = ~crc;
    for (let i = 0; i < bytes.length; i++) c = table[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
    return ~c >>> 0;
  };
};

/**
 * CRC-32 of gzip, zip and PNG (polynomial 0xEDB88320, ISO 3309).
 *
 * @param crc  result of the bytes before these, to go on over several pieces
 */
export const crc32 = createCrc(0xedb88320);

/** CRC-32C of TFRecord files (Castagnoli's polynomial, RFC 3720), used as {@link crc32}. */
export const crc32c = createCrc(0x82f63b78);
