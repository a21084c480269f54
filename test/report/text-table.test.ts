import { formatTable } from "temper/report";
import { describe, expect, it } from "vitest";

describe("formatTable", () => {
  it("aligns text left and numbers right", () => {
    const table = formatTable(
      ["attack", "broke", "correct", "time"],
      [
        ["apgd-ce", "26", "95.6\u00a0%", "41.7 s"],
        ["square", "1,002", "> 99.9\u00a0%", "5 min 2 s"],
      ],
    );
    expect(table.split("\n")).toEqual([
      "attack   broke   correct  time",
      "───────  ─────  ────────  ─────────",
      "apgd-ce     26    95.6 %  41.7 s",
      "square   1,002  > 99.9 %  5 min 2 s",
    ]);
  });

  it("fills short rows and stands without rows", () => {
    expect(formatTable(["a", "bb"], [])).toBe("a  bb\n─  ──");
    expect(formatTable(["a"], [["x", "yy"], ["z"]]).split("\n")).toEqual(["a", "─  ──", "x  yy", "z"]);
  });

  it("counts characters, not code units", () => {
    expect(formatTable(["name", "n"], [["𝛼𝛽𝛾𝛿𝜀", "1"]]).split("\n")[1]).toBe("─────  ─");
  });

  it("lets no cell steer the terminal", () => {
    const table = formatTable(["a\nb"], [["\u001b[2Jgone\r\n\u202e"]]);
    for (const bad of ["\u001b", "\r", "\u202e"]) expect(table).not.toContain(bad);
    expect(table.split("\n")).toHaveLength(3);
  });
});
