import type { ClientRequest, IncomingMessage } from "node:http";
import { TemperError } from "../core/index.ts";

/** What one request is to bring. */
export interface AttemptRequest {
  readonly url: string;
  /** Bytes that are there already. */
  readonly offset: number;
  /** ETag or date of the copy that those bytes came from; undefined where unknown. */
  readonly validator: string | undefined;
  readonly stallSeconds: number;
  readonly signal: AbortSignal | undefined;
}

/** How the server answered. The body must be read, or `close` called. */
export interface Answer {
  readonly status: number;
  /** First byte of the body within the file: 0 where the server sends all of it. */
  readonly start: number;
  /** Size of the whole file, where the server says it. */
  readonly total: number | undefined;
  readonly validator: string | undefined;
  /** @throws Error when the connection breaks, stalls, or `signal` ends it */
  readonly body: AsyncIterable<Uint8Array>;
  readonly close: () => void;
}

const MAX_REDIRECTS = 5;

const interrupted = (): TemperError =>
  new TemperError("interrupted", "The download was stopped. Run it again to go on.");

/** Sends the request; the promise rejects where no answer comes within `stallSeconds`. */
const ask = async (
  url: URL,
  { offset, validator, stallSeconds, signal }: AttemptRequest,
): Promise<[IncomingMessage, ClientRequest]> => {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new Error(`${url.protocol} addresses are not supported`);
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const headers: Record<string, string> = { "user-agent": "temper", "accept-encoding": "identity" };
  if (offset > 0) headers["range"] = `bytes=${offset}-`;
  if (offset > 0 && validator !== undefined) headers["if-range"] = validator;
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false, timeout: stallSeconds * 1000 });
    let response: IncomingMessage | undefined;
    const end = (cause: Error): void => {
      response?.destroy(cause); // first, so that who reads the body learns the cause
      sent.destroy(cause);
    };
    const stop = (): void => end(interrupted());
    signal?.addEventListener("abort", stop, { once: true });
    sent.once("close", () => signal?.removeEventListener("abort", stop));
    sent.on("timeout", () => end(new Error(`nothing came for ${stallSeconds} s`)));
    sent.on("error", reject); // stays attached: a late error of the connection must not end the process
    sent.on("response", (arrived) => {
      response = arrived;
      resolve([arrived, sent]);
    });
    if (signal?.aborted) stop();
    sent.end();
  });
};

/** A strong ETag, else the date: what If-Range may carry (RFC 9110, 13.1.5). */
const validatorOf = ({ headers }: IncomingMessage): string | undefined =>
  headers.etag !== undefined && !headers.etag.startsWith("W/") ? headers.etag : headers["last-modified"];

const sizes = ({ statusCode, headers }: IncomingMessage): { start: number; total: number | undefined } => {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (statusCode === 206 && range)
    return { start: Number(range[1]), total: range[2] === "*" ? undefined : Number(range[2]) };
  const length = headers["content-length"];
  return { start: statusCode === 206 ? NaN : 0, total: length === undefined ? undefined : Number(length) };
};

/**
 * Sends one GET request (with Range where some bytes are there already), following redirects.
 *
 * @throws Error when no answer comes; TemperError `interrupted` when `signal` ends it
 */
export const openDownload = async (request: AttemptRequest): Promise<Answer> => {
  let url = new URL(request.url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const [response, sent] = await ask(url, request);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (status < 300 || status > 399 || location === undefined)
      return {
        status,
        ...sizes(response),
        validator: validatorOf(response),
        body: response,
        close: () => void sent.destroy(),
      };
    sent.destroy();
    url = new URL(location, url);
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
};
