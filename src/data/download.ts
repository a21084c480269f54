import { TemperError, isTemperError } from "../core/index.ts";
import { type Answer, openDownload } from "./download-attempt.ts";
import { formatBytes, reason } from "./limits.ts";
import type { PublishedFile } from "./publications.ts";

/** How far a download is. */
export interface FetchProgress {
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
  /** What went wrong just now and what follows; undefined for plain progress. */
  readonly note?: string;
}

export interface DownloadOptions {
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A connection on which nothing comes for so long is dropped and taken up again; default 30. */
  readonly stallSeconds?: number | undefined;
  /** Attempts in a row that bring nothing new before the download is given up; default 6. */
  readonly attempts?: number | undefined;
  /** Pause before the second attempt; doubles each time, at most 16 times as long; default 0.5. */
  readonly pauseSeconds?: number | undefined;
}

/** An attempt that brings at least this much counts as success: the next one starts counting afresh. */
const PROGRESS_BYTES = 1 << 20;

const fs = (): Promise<typeof import("node:fs/promises")> => import("node:fs/promises");

/** MD5 of a file, read in pieces; undefined where the file is not there. MD5 because the publishers give that. */
export const md5OfFile = async (path: string): Promise<string | undefined> => {
  const [{ createReadStream }, { createHash }] = await Promise.all([import("node:fs"), import("node:crypto")]);
  const hash = createHash("md5");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new TemperError("bad-file", `${path} cannot be read (${reason(error)}).`, { cause: error });
  }
  return hash.digest("hex");
};

interface Part {
  readonly path: string;
  readonly size: number;
  /** What the server called the copy that the part came from. */
  readonly validator: string | undefined;
}

/** Notes which copy a part belongs to, so that a changed file at the publisher is not glued to it. */
const notePath = (part: string): string => `${part}.from`;

const readPart = async (path: string, url: string): Promise<Part> => {
  const { stat, readFile } = await fs();
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  const [from, validator] = await readFile(notePath(path), "utf8").then(
    (text) => text.split("\n"),
    () => [],
  );
  return { path, size, validator: from === url && validator ? validator : undefined };
};

const dropPart = async (path: string): Promise<void> => {
  const { rm } = await fs();
  await rm(path, { force: true });
  await rm(notePath(path), { force: true });
};

const pause = (seconds: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener("abort", done, { once: true });
  });

/** Writes the body behind what is there; returns the size of the part. */
const receive = async (answer: Answer, part: Part, file: PublishedFile, options: DownloadOptions): Promise<number> => {
  const { open } = await fs();
  const handle = await open(part.path, answer.start > 0 ? "a" : "w");
  let size = answer.start;
  try {
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > 2 * file.bytes)
        throw new TemperError("network", `more came than the file has (${formatBytes(file.bytes)})`);
      await handle.writeFile(chunk);
      options.onProgress?.({ file: file.name, receivedBytes: size, totalBytes: answer.total ?? file.bytes });
    }
  } catch (error) {
    if (error instanceof Error && error.message === "aborted")
      throw new Error(`cut off after ${size} bytes`, { cause: error });
    throw error;
  } finally {
    await handle.close();
  }
  if (size < (answer.total ?? file.bytes)) throw new Error(`cut off after ${size} bytes`);
  return size;
};

/** One request, from where the part ends. @throws Error with what went wrong; the part stays for the next attempt */
const attempt = async (url: string, path: string, file: PublishedFile, options: DownloadOptions): Promise<void> => {
  const { writeFile } = await fs();
  const part = await readPart(path, url);
  const { stallSeconds = 30, signal } = options;
  const answer = await openDownload({ url, offset: part.size, validator: part.validator, stallSeconds, signal });
  try {
    if (answer.status === 416) await dropPart(path); // the part is longer than the file: begin again
    if (answer.status !== 200 && answer.status !== 206) throw new Error(`the server answered ${answer.status}`);
    if (answer.start !== 0 && answer.start !== part.size) {
      await dropPart(path);
      throw new Error("the server sent another range than the one asked for");
    }
    if (answer.start === 0) await writeFile(notePath(path), `${url}\n${answer.validator ?? ""}`);
    await receive(answer, part, file, options);
  } finally {
    answer.close();
  }
};

const partSize = async (path: string): Promise<number> => (await readPart(path, "")).size;

/** Whether the part is the whole right file; a part of at least the full size that is not is removed. */
const isComplete = async (path: string, file: PublishedFile, finished: boolean): Promise<boolean> => {
  if (!finished && (await partSize(path)) < file.bytes) return false;
  const found = await md5OfFile(path);
  if (found === file.md5) return true;
  await dropPart(path);
  if (!finished) return false;
  throw new TemperError("bad-file", `its MD5 checksum is ${found ?? "none"}, not ${file.md5}; what came was deleted`);
};

/**
 * Downloads a file: into `path` with `.part` behind it, checked, then renamed. What an earlier call or attempt has left
 * is gone on with (HTTP Range; from the start where the server cannot). Connections that stall, break or answer with an
 * error are tried again after growing pauses, in turn at each address; an address whose file has a wrong checksum is not
 * asked again.
 *
 * @param addresses  full addresses of the same file
 * @throws TemperError `network`: given up (names each address and its last problem); `bad-file`: every address gave a
 *   file with a wrong checksum; `interrupted`: `signal`
 */
export const downloadFile = async (
  addresses: readonly string[],
  path: string,
  file: PublishedFile,
  options: DownloadOptions = {},
): Promise<void> => {
  const { rename } = await fs();
  const { attempts = 6, pauseSeconds = 0.5, signal } = options;
  const part = `${path}.part`;
  const problems = new Map<string, string>();
  let urls = [...addresses];
  let complete = await isComplete(part, file, false);
  for (let failures = 0, turn = 0; !complete; turn++) {
    const url = urls[turn % urls.length]!;
    const before = await partSize(part);
    try {
      await attempt(url, part, file, options);
      complete = await isComplete(part, file, true);
    } catch (error) {
      if (signal?.aborted || (isTemperError(error) && error.code === "interrupted"))
        throw new TemperError("interrupted", `${file.name}: the download was stopped. Run it again to go on.`, {
          cause: error,
        });
      problems.set(url, reason(error));
      if (isTemperError(error)) {
        await dropPart(part); // not this file at all
        urls = urls.filter((other) => other !== url);
        if (urls.length === 0) throw givenUp(file, problems, error.code === "bad-file" ? "bad-file" : "network", error);
      }
      failures = (await partSize(part)) >= before + PROGRESS_BYTES ? 0 : failures + 1;
      if (failures >= attempts) throw givenUp(file, problems, "network", error);
      const seconds = pauseSeconds * 2 ** Math.min(4, failures);
      options.onProgress?.({
        file: file.name,
        receivedBytes: await partSize(part),
        totalBytes: file.bytes,
        note: `${url}: ${reason(error)}; trying again`,
      });
      await pause(seconds, signal);
    }
  }
  await rename(part, path);
  await dropPart(part);
};

const givenUp = (
  file: PublishedFile,
  problems: ReadonlyMap<string, string>,
  code: "network" | "bad-file",
  cause: unknown,
): TemperError => {
  const list = [...problems].map(([url, problem]) => `${url}: ${problem}`).join("; ");
  return new TemperError(
    code,
    `${file.name} could not be fetched. ${list}. Run the command again to go on, or put the file there by hand.`,
    { cause },
  );
};
