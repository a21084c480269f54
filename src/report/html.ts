/** Only this module can make the mark, so text that came from a file can never pass for markup. */
const MARKUP: unique symbol = Symbol("markup");

/** Markup that is safe to put into a page: what {@link html} gave. */
export interface Html {
  readonly [MARKUP]: string;
}

/** What may stand in a template. Text and numbers are escaped; lists are joined; empty values vanish. */
export type Piece = Html | string | number | null | undefined | false | readonly Piece[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Replaces characters that a terminal or page would obey instead of show (control codes, text direction overrides, lone
 * surrogates) by U+FFFD. Line breaks and tabs stay.
 */
export const printable = (text: string): string =>
  text.replaceAll(/(?![\n\r\t])[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");

/** Text for element content and quoted attributes. */
export const escapeHtml = (text: string): string => printable(text).replaceAll(/[&<>"']/g, (c) => entities[c]!);

const markupOf = (piece: Piece): string => {
  if (piece === null || piece === undefined || piece === false) return "";
  if (typeof piece === "string") return escapeHtml(piece);
  if (typeof piece === "number") return String(piece);
  return MARKUP in piece ? piece[MARKUP] : piece.map(markupOf).join("");
};

/** Template tag: the literal parts are markup, everything put in is escaped. Attribute values must be quoted. */
export const html = (parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html => ({
  [MARKUP]: parts.reduce((text, part, i) => text + markupOf(pieces[i - 1]) + part),
});

/** Template tag for text that is all our own and goes in as it stands, such as a style sheet; takes nothing in. */
export const literal = (parts: TemplateStringsArray): Html => ({ [MARKUP]: parts.join("") });

/** The markup as text, at the very end. */
export const toText = (page: Html): string => page[MARKUP];
