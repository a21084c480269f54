import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createRng } from "temper/core";
import { countOf } from "temper/data";
import { readManifest, train, type TrainRequest } from "temper/train";
import { expect } from "vitest";
import { everything, newFolder, outcomeOf } from "./setting.ts";

type Request = Omit<TrainRequest, "folder">;

/** Runs a request on glyphs in a process of its own, resumed where it can be, and kills that `wait` ms after `steps`. */
export const killed = (request: Request, folder: string, steps: number, wait = 0): Promise<void> =>
  new Promise((resolve, reject) => {
    const { train: training, validation, ...rest } = request;
    const counts = [training, validation!].map((data) => String(countOf(data)));
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL("child.mjs", import.meta.url)), folder, JSON.stringify(rest), ...counts],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let text = "";
    child.stdout.on("data", (part: Buffer) => {
      text += part.toString();
      if (text.split("\n").length > steps) setTimeout(() => child.kill("SIGKILL"), wait);
    });
    child.on("error", reject);
    child.on("exit", (code, signal) =>
      signal === "SIGKILL" ? resolve() : reject(new Error(`the child ended by itself (${code})`)),
    );
  });

/** A run that is killed so many times, at random moments, gives the bits of one that is not. */
export const checkKills = async (times: number, seed: number): Promise<void> => {
  const [whole, folder] = [newFolder(), newFolder()],
    rng = createRng(seed);
  await train({ ...everything, folder: whole } as TrainRequest);
  const stood: number[] = [];
  for (let i = 0; i < times; i++) {
    await killed(everything as Request, folder, 1 + rng.int(5), rng.int(40));
    stood.push((await readManifest(folder)).step);
  }
  expect(stood.at(-1)).toBeGreaterThan(0);
  expect(stood.at(-1)).toBeLessThan(60);
  const { finished } = await train({ ...everything, folder, resume: true } as TrainRequest);
  expect(finished).toBe(true);
  expect(await outcomeOf(folder), `killed at ${stood.join(", ")}`).toEqual(await outcomeOf(whole));
};
