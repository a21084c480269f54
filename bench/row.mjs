/** What a row is, and the ratios and limits that the project promises. */

/** Median of theirs / ours that a row must reach, by row and side; those of networks against PyTorch: `networks.mjs`. */
const BARS = {
  "resnet18-gradient-1": { hand: 1 / 1.1 },
  "resnet18-gradient-64": { hand: 1 / 1.1 },
  "resnet18-gradient-128": { hand: 1 / 1.1 },
  "pgd-resnet18-64": { "20 raw gradients": 1 / 1.05, torchattacks: 1.4, foolbox: 2, art: 2 },
  "pgd-mnist-64": { torchattacks: 3, foolbox: 3, art: 3 },
  "messages-mnist-64": { "same loop in-thread": 1 / 1.05 },
};
const BAR_TEXT = { [1 / 1.15]: "within 15 %", [1 / 1.1]: "within 10 %", [1 / 1.05]: "within 5 %" };
export const barText = (bar) => BAR_TEXT[bar] ?? `>= ${bar}x`;

/** Upper bounds on our own figures. */
const LIMITS = {
  "pgd-resnet18-64": [{ of: "eventLoopDelayMs", most: 20, text: "event loop delay <= 20 ms" }],
  "pgd-mnist-64": [{ of: "eventLoopDelayMs", most: 20, text: "event loop delay <= 20 ms" }],
  "cold-start": [{ of: "medianSeconds", most: 1, text: "first number <= 1.0 s" }],
  "compile-training": [{ of: "medianSeconds", most: 1.5, text: "compiled <= 1.5 s" }],
  "compile-kept": [{ of: "medianSeconds", most: 0.4, text: "compiled <= 0.4 s" }],
};

/** @param more  what else the row says: `limits`, `flops`, `images`, `mostRounds`, ... */
export const row = (id, title, sides, more = {}) => ({
  id,
  title,
  sides: sides.filter(Boolean).map((side) => ({ ...side, bar: BARS[id]?.[side.name] ?? side.bar })),
  limits: LIMITS[id] ?? [],
  ...more,
});
export const us = (task, name = "temper") => ({ name, kind: "us", task });
export const peer = (name, task) => ({ name, kind: "peer", task });
