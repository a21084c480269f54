import { it } from "vitest";
import { checkKills } from "../train/killed.ts";

it("a run killed at 10 random moments gives the same bits", { timeout: 600_000 }, () => checkKills(10, 1));
