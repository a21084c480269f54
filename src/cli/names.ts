/** Keys of a registry as a non-empty tuple of its names. */
export const names = <T extends object>(registry: T): readonly (keyof T & string)[] =>
  Object.keys(registry) as (keyof T & string)[];
