/** A name from a file in quotes, for messages: control characters escaped, the middle of a long one left out. */
export const quote = (name: string | undefined): string => {
  const text = name ?? "";
  return JSON.stringify(text.length <= 120 ? text : `${text.slice(0, 80)}...${text.slice(-30)}`);
};
