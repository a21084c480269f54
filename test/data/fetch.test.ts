import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { type Server as RawServer, type Socket, createServer as createRawServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isTemperError } from "temper/core";
import {
  type FetchOptions,
  type FetchProgress,
  type Publication,
  countOf,
  fetchDataset,
  fetchPublication,
  gzip,
  loadDataset,
  publications,
} from "temper/data";
import { hasShared, shared } from "../shared.ts";
import { noise, tar } from "./builders.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** What the server saw and sent. */
interface Log {
  readonly ranges: (string | undefined)[];
  readonly ifRanges: (string | undefined)[];
  bodyBytes: number;
}

const CONTENT = noise(300_000, 1);
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
const publish = (...addresses: string[]): Publication => ({
  addresses,
  files: [{ name: "file.bin", bytes: CONTENT.length, md5: md5(CONTENT) }],
});

let dataRoot = "";
let closers: (() => void)[] = [];
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "temper-fetch-"));
});
afterEach(() => {
  for (const close of closers) close();
  closers = [];
  rmSync(dataRoot, { recursive: true, force: true });
});

const listen = async (server: Server | RawServer): Promise<string> => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** A server of CONTENT that misbehaves as `handler` says; `log` keeps what was asked. */
const serve = async (handler: Handler): Promise<{ url: string; log: Log }> => {
  const log: Log = { ranges: [], ifRanges: [], bodyBytes: 0 };
  const server = createServer((request, response) => {
    log.ranges.push(request.headers.range);
    log.ifRanges.push(request.headers["if-range"] as string | undefined);
    const write = response.write.bind(response);
    const end = response.end.bind(response);
    response.write = ((chunk: Uint8Array) => {
      log.bodyBytes += chunk.length;
      return write(chunk);
    }) as typeof response.write;
    response.end = ((chunk?: Uint8Array) => {
      log.bodyBytes += chunk?.length ?? 0;
      return end(chunk);
    }) as typeof response.end;
    handler(request, response, log.ranges.length);
  });
  return { url: await listen(server), log };
};

/** Answers as a good server does, Range and If-Range included. */
const good =
  (content: Uint8Array, etag: string): Handler =>
  (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const start = range ? Number(range[1]) : 0;
    const ifRange = request.headers["if-range"];
    if (start === 0 || (ifRange !== undefined && ifRange !== etag)) {
      response.writeHead(200, { "content-length": content.length, etag });
      return void response.end(content);
    }
    if (start >= content.length) return void response.writeHead(416).end();
    const part = content.subarray(start);
    const span = `bytes ${start}-${content.length - 1}/${content.length}`;
    response.writeHead(206, { "content-length": part.length, "content-range": span, etag });
    response.end(part);
  };

/** Promises all of it, sends the first `bytes`, then breaks the connection. */
const cutOff =
  (bytes: number, etag = '"a"'): Handler =>
  (_, response) => {
    response.writeHead(200, { "content-length": CONTENT.length, etag });
    response.write(CONTENT.subarray(0, bytes));
    setTimeout(() => response.destroy(), 50);
  };

const fast = { pauseSeconds: 0.01, stallSeconds: 0.4 };
const fetchFrom = (publication: Publication, options: Partial<FetchOptions> = {}) =>
  fetchPublication("set", publication, { dataRoot, ...fast, ...options });
const filePath = (): string => join(dataRoot, "set", "file.bin");
const expectRight = (): void => {
  expect(Buffer.compare(readFileSync(filePath()), CONTENT)).toBe(0);
  expect(readdirSync(join(dataRoot, "set"))).toEqual(["file.bin"]); // no part, no note left
};
const failure = async (promise: Promise<unknown>): Promise<{ code: string; message: string }> => {
  try {
    await promise;
  } catch (error) {
    if (isTemperError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: "no error", message: "" };
};

describe("a server that works", () => {
  it("gives the file once; a second call asks for nothing", async () => {
    const { url, log } = await serve(good(CONTENT, '"a"'));
    const seen: FetchProgress[] = [];
    const first = await fetchFrom(publish(url), { onProgress: (progress) => seen.push(progress) });
    expect(first).toEqual({ folder: `${dataRoot}/set`, fetched: ["file.bin"], present: [] });
    expectRight();
    expect(seen.at(-1)).toEqual({ file: "file.bin", receivedBytes: CONTENT.length, totalBytes: CONTENT.length });
    expect(seen.every(({ receivedBytes }, i) => i === 0 || receivedBytes > seen[i - 1]!.receivedBytes)).toBe(true);
    const second = await fetchFrom(publish(url));
    expect([second.fetched, second.present]).toEqual([[], ["file.bin"]]);
    expect(log.ranges).toEqual([undefined]);
  });

  it("replaces a file that is there but wrong", async () => {
    const { url } = await serve(good(CONTENT, '"a"'));
    mkdirSync(join(dataRoot, "set"));
    writeFileSync(filePath(), "something else");
    await fetchFrom(publish(url));
    expectRight();
  });

  it("is followed over redirects", async () => {
    const { url } = await serve(good(CONTENT, '"a"'));
    const hop = await serve(
      (request, response) => void response.writeHead(302, { location: url + request.url! }).end(),
    );
    await fetchFrom(publish(hop.url));
    expectRight();
    const loop = await serve((request, response) => void response.writeHead(302, { location: request.url! }).end());
    rmSync(filePath());
    expect(await failure(fetchFrom(publish(loop.url), { attempts: 1 }))).toMatchObject({
      code: "network",
      message: expect.stringContaining("redirects"),
    });
  });
});

describe("a server that cuts off", () => {
  it("is asked for the rest only", async () => {
    const { url, log } = await serve((request, response, count) =>
      (count === 1 ? cutOff(100_000) : good(CONTENT, '"a"'))(request, response, count),
    );
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges).toEqual([undefined, "bytes=100000-"]);
    expect(log.ifRanges).toEqual([undefined, '"a"']);
    expect(log.bodyBytes).toBe(CONTENT.length); // nothing was sent twice
  });

  it("is gone on with by a later call", async () => {
    const { url, log } = await serve((request, response, count) =>
      (count === 1 ? cutOff(120_000) : good(CONTENT, '"a"'))(request, response, count),
    );
    expect(await failure(fetchFrom(publish(url), { attempts: 1 }))).toMatchObject({ code: "network" });
    expect(existsSync(filePath())).toBe(false);
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges).toEqual([undefined, "bytes=120000-"]);
    expect(log.bodyBytes).toBe(CONTENT.length);
  });

  it("and has another copy when it is asked again: the file is taken from the start", async () => {
    const { url, log } = await serve((request, response, count) =>
      (count === 1 ? cutOff(100_000, '"old"') : good(CONTENT, '"new"'))(request, response, count),
    );
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ifRanges).toEqual([undefined, '"old"']);
    expect(log.bodyBytes).toBe(100_000 + CONTENT.length);
  });

  it("without ever saying the size", async () => {
    const { url, log } = await serve((request, response, count) => {
      if (count > 1) return good(CONTENT, '"a"')(request, response, count);
      response.useChunkedEncodingByDefault = false; // ends with the connection
      response.writeHead(200);
      response.end(CONTENT.subarray(0, 90_000));
    });
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges).toEqual([undefined, "bytes=90000-"]);
  });

  it("forever: gives up and says what was tried", async () => {
    const { url, log } = await serve(cutOff(0));
    const error = await failure(fetchFrom(publish(url), { attempts: 3 }));
    expect(error).toMatchObject({ code: "network", message: expect.stringContaining(`${url}/file.bin`) });
    expect(log.ranges).toHaveLength(3);
  });
});

describe("a server that stalls", () => {
  it("before it answers, and in the middle", async () => {
    const { url, log } = await serve((request, response, count) => {
      if (count === 1) return; // never answers
      if (count === 2) {
        response.writeHead(200, { "content-length": CONTENT.length, etag: '"a"' });
        return void response.write(CONTENT.subarray(0, 50_000)); // and nothing more
      }
      good(CONTENT, '"a"')(request, response, count);
    });
    const notes: string[] = [];
    await fetchFrom(publish(url), { onProgress: ({ note }) => void (note && notes.push(note)) });
    expectRight();
    expect(log.ranges).toEqual([undefined, undefined, "bytes=50000-"]);
    expect(notes).toHaveLength(2);
    for (const note of notes) expect(note).toContain("nothing came for 0.4 s");
  });
});

describe("a server that lies", () => {
  it("about the contents: the part is deleted and the checksum named", async () => {
    const { url } = await serve(good(noise(300_000, 2), '"a"'));
    const error = await failure(fetchFrom(publish(url)));
    expect(error.code).toBe("bad-file");
    expect(error.message).toContain(md5(CONTENT));
    expect(error.message).toContain("deleted");
    expect(readdirSync(join(dataRoot, "set"))).toEqual([]);
  });

  it("is left for the next address", async () => {
    const liar = await serve(good(noise(300_000, 2), '"a"'));
    const honest = await serve(good(CONTENT, '"b"'));
    await fetchFrom(publish(liar.url, honest.url));
    expectRight();
    expect(liar.log.ranges).toHaveLength(1);
  });

  it("about ranges: it ignores them, or sends another one", async () => {
    const ignoring = await serve((request, response, count) => {
      if (count === 1) return cutOff(100_000)(request, response, count);
      response.writeHead(200, { "content-length": CONTENT.length });
      response.end(CONTENT);
    });
    await fetchFrom(publish(ignoring.url));
    expectRight();
    rmSync(filePath());
    const other = await serve((request, response, count) => {
      if (count === 1) return cutOff(100_000)(request, response, count);
      if (count > 2) return good(CONTENT, '"a"')(request, response, count);
      response.writeHead(206, { "content-range": `bytes 5-${CONTENT.length - 1}/${CONTENT.length}` });
      response.end(CONTENT.subarray(5));
    });
    await fetchFrom(publish(other.url));
    expectRight();
    expect(other.log.ranges).toEqual([undefined, "bytes=100000-", undefined]);
  });

  it("about the size: sends without end, or more than it declared", async () => {
    const endless = await serve((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(CONTENT));
      };
      response.on("drain", more);
      more();
    });
    const error = await failure(fetchFrom(publish(endless.url)));
    expect(error).toMatchObject({ code: "network", message: expect.stringContaining("more came") });
    expect(readdirSync(join(dataRoot, "set"))).toEqual([]);
    const sockets: Socket[] = [];
    const raw = await listen(
      createRawServer((socket) => {
        sockets.push(socket);
        socket.on("error", () => {});
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${CONTENT.length}\r\n\r\n`);
        socket.end(Buffer.concat([CONTENT, noise(50_000, 3)]));
      }),
    );
    await fetchFrom(publish(raw)); // what was declared is right, the surplus is not taken
    expectRight();
    for (const socket of sockets) socket.destroy();
  });

  it("in its protocol", async () => {
    const raw = await listen(createRawServer((socket) => void socket.on("error", () => {}).end("nonsense\r\n\r\n")));
    expect(await failure(fetchFrom(publish(raw), { attempts: 2 }))).toMatchObject({ code: "network" });
  });
});

describe("errors and interruptions", () => {
  it("404 and 500, then works", async () => {
    const { url, log } = await serve((request, response, count) =>
      count <= 2
        ? void response.writeHead(count === 1 ? 404 : 500).end("no")
        : good(CONTENT, '"a"')(request, response, count),
    );
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges).toHaveLength(3);
    expect(await failure(fetchFrom(publish("http://127.0.0.1:1"), { attempts: 2 }))).toMatchObject({
      code: "no error",
    }); // present
    rmSync(filePath());
    expect(await failure(fetchFrom(publish("http://127.0.0.1:1"), { attempts: 2 }))).toMatchObject({ code: "network" });
  });

  it("a part longer than the file is begun again", async () => {
    const { url, log } = await serve(good(CONTENT, '"a"'));
    mkdirSync(join(dataRoot, "set"));
    writeFileSync(`${filePath()}.part`, noise(CONTENT.length + 10, 8));
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges).toEqual([undefined]);
  });

  it("a part that is whole is only checked", async () => {
    const { url, log } = await serve(good(CONTENT, '"a"'));
    mkdirSync(join(dataRoot, "set"));
    writeFileSync(`${filePath()}.part`, CONTENT);
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges).toEqual([]);
  });

  it("the caller stops it; the part stays for the next call", async () => {
    const { url, log } = await serve((request, response, count) => {
      if (count > 1) return good(CONTENT, '"a"')(request, response, count);
      response.writeHead(200, { "content-length": CONTENT.length, etag: '"a"' });
      response.write(CONTENT.subarray(0, 80_000));
    });
    const stop = new AbortController();
    const onProgress = ({ receivedBytes }: FetchProgress): void => {
      if (receivedBytes === 80_000) stop.abort();
    };
    expect(await failure(fetchFrom(publish(url), { signal: stop.signal, onProgress, stallSeconds: 20 }))).toMatchObject(
      { code: "interrupted" },
    );
    expect(await failure(fetchFrom(publish(url), { signal: AbortSignal.abort() }))).toMatchObject({
      code: "interrupted",
    });
    await fetchFrom(publish(url));
    expectRight();
    expect(log.ranges.at(-1)).toBe("bytes=80000-");
  });

  it("a data folder that cannot be made, a name that is not known", async () => {
    writeFileSync(join(dataRoot, "blocked"), "");
    const { url } = await serve(good(CONTENT, '"a"'));
    expect(await failure(fetchFrom(publish(url), { dataRoot: join(dataRoot, "blocked") }))).toMatchObject({
      code: "bad-file",
    });
    expect(await failure(fetchDataset("mnits", { dataRoot }))).toMatchObject({
      code: "not-found",
      message: expect.stringContaining("Did you mean mnist?"),
    });
  });
});

describe("archives", () => {
  const members = { "train.bin": noise(2000, 1), "test.bin": noise(1000, 2), "readme.html": noise(30, 3) };
  const archive = gzip(
    tar(Object.fromEntries(Object.entries(members).map(([name, data]) => [`folder/${name}`, data]))),
  );
  const publication = (url: string, wanted: string[], content = archive): Publication => ({
    addresses: [url],
    files: [{ name: "all.tar.gz", bytes: content.length, md5: md5(content) }],
    members: wanted,
  });

  it("are unpacked once, and again only where a file was changed", async () => {
    const { url, log } = await serve(good(archive, '"a"'));
    const wanted = ["train.bin", "test.bin"];
    expect((await fetchFrom(publication(url, wanted))).fetched).toEqual(wanted);
    expect(readdirSync(join(dataRoot, "set")).sort()).toEqual(["fetched.json", "test.bin", "train.bin"]);
    expect(new Uint8Array(readFileSync(join(dataRoot, "set", "train.bin")))).toEqual(members["train.bin"]);
    expect((await fetchFrom(publication(url, wanted))).present).toEqual(wanted);
    expect(log.ranges).toHaveLength(1);
    writeFileSync(join(dataRoot, "set", "test.bin"), "changed");
    await fetchFrom(publication(url, wanted));
    expect(log.ranges).toHaveLength(2);
    expect(new Uint8Array(readFileSync(join(dataRoot, "set", "test.bin")))).toEqual(members["test.bin"]);
  });

  it("that lack a file, or are no tar, are refused", async () => {
    const { url } = await serve(good(archive, '"a"'));
    expect(await failure(fetchFrom(publication(url, ["other.bin"])))).toMatchObject({ code: "bad-file" });
    const broken = gzip(noise(2000, 5));
    const second = await serve(good(broken, '"a"'));
    expect(await failure(fetchFrom(publication(second.url, ["train.bin"], broken)))).toMatchObject({
      code: "bad-file",
    });
  });
});

it("the published addresses are whole and secure but for the one that offers no https", () => {
  const urls = Object.values(publications).flatMap(({ addresses }) => addresses);
  for (const url of urls) expect(new URL(url).pathname.endsWith("/")).toBe(true);
  expect(urls.filter((url) => url.startsWith("http:"))).toEqual([
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ]);
  for (const { files } of Object.values(publications))
    for (const { md5 } of files) expect(md5).toMatch(/^[0-9a-f]{32}$/);
});

describe.skipIf(!hasShared)("the real thing from a mirror", () => {
  it("Fashion-MNIST's own files have the published checksums and load by name", async () => {
    const { url } = await serve((request, response) => {
      response.end(readFileSync(shared(`fashion-mnist/${request.url!.split("/").at(-1)!}`)));
    });
    const { fetched } = await fetchDataset("fashion-mnist", {
      dataRoot,
      baseUrl: `${url}/mirror`,
      ...fast,
      stallSeconds: 20,
    });
    expect(fetched).toHaveLength(4);
    expect(countOf(await loadDataset("fashion-mnist", { dataRoot, split: "train" }))).toBe(60_000);
  });
});
