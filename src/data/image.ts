/** A decoded image: values interleaved per pixel (row-major [height, width, channels]). */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1 grey or 3 red, green, blue. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array | Uint16Array;
  /** Value of full brightness: 255, or 65535 for 16-bit files. */
  readonly maximum: 255 | 65535;
  /** Whether the file had an alpha channel or transparent colours, which were dropped. */
  readonly droppedAlpha: boolean;
}

/** Largest image that is decoded, in pixels; a data set's images are far smaller. */
export const MAX_PIXELS = 64 * 1024 * 1024;
