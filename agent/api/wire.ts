/**
 * Go writes `null` for an empty list, map or pointer, and clients distinguish that from a missing field. The
 * generated wire types do not allow null; this type does.
 */
export type Wire<T> = T extends Date
  ? Date
  : T extends (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> | null }
      : T;
