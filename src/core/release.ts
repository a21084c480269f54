type Transferable = ArrayBuffer & { readonly transfer?: (length: number) => ArrayBuffer };

/** Sends a buffer to a port whose other end is closed: it is gone. Undefined until the end has closed. */
let discard: ((buffer: ArrayBuffer) => void) | undefined;
let asked = false;
const openChannel = (): void => {
  asked = true;
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener("close", () => (discard = (buffer) => port1.postMessage(0, [buffer])));
  port2.close();
};

/**
 * Gives the memory of arrays back now; they are empty afterwards. The collector does it too, but late: a loop that
 * makes large arrays at every step then pays for fresh memory each time, and its memory peaks higher. Views of a part of something are left alone.
 */
export const release = (arrays: Iterable<ArrayBufferView>): void => {
  for (const array of arrays) {
    const buffer = array.buffer as Transferable;
    if (!(buffer instanceof ArrayBuffer) || array.byteLength !== buffer.byteLength) continue;
    if (buffer.transfer) buffer.transfer(0);
    else if (discard) discard(buffer);
    else if (!asked) openChannel();
  }
};
