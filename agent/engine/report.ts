/** Writes a failure that no caller can be told of to the agent's log. */
export type Report = (what: string, error: unknown) => void;
