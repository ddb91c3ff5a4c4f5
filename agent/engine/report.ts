/** Tells the agent's own log of a failure that no caller can be told of. */
export type Report = (what: string, error: unknown) => void;
