import type { Tensor } from "../core/index.ts";
import { readNpy, writeNpy } from "./npy.ts";
import { readZip, writeZip } from "./zip.ts";

/**
 * Reads the arrays of a .npz archive (NumPy's zip of .npy files), by name without `.npy`. Other files in the archive
 * are passed over.
 *
 * @param wanted  which arrays to unpack; all by default
 * @throws TemperError as `readZip` and `readNpy`
 */
export const readNpz = (
  archive: string,
  bytes: Uint8Array,
  options: { maxBytes?: number; wanted?: (array: string) => boolean } = {},
): Map<string, Tensor> => {
  const { wanted = () => true, ...limits } = options;
  const isWanted = (name: string): boolean => name.endsWith(".npy") && wanted(name.slice(0, -4));
  const files = readZip(archive, bytes, { ...limits, wanted: isWanted });
  return new Map([...files].map(([name, data]) => [name.slice(0, -4), readNpy(`${archive}: ${name}`, data)]));
};

/** Packs arrays into a .npz archive; equal arrays give equal bytes. @throws TemperError `unsupported`: bfloat16 */
export const writeNpz = (arrays: Readonly<Record<string, Tensor>>): Uint8Array =>
  writeZip(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, writeNpy(array)])));
