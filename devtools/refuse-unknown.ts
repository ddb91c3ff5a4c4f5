/** Exits 2 and names the `names` that are not among the `known` ones; `what` says what they are names of. */
export function refuseUnknown(
  what: string,
  names: readonly string[],
  known: readonly string[],
): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  console.error(`unknown ${what} '${unknown.join("', '")}'; there are ${known.join(', ')}`);
  process.exit(2);
}
