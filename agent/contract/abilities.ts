/** What the machine lets this agent do: the document of `/corten/v1/machine/abilities`. */

export const abilityNames = [
  'limits',
  'pause',
  'disk-limits',
  'outside-network',
  'low-ports',
  'source-addresses',
  'devices',
  'user-namespaces',
  'raised-limits',
  'kill-reasons',
  'after-logout',
] as const;
export type AbilityName = (typeof abilityNames)[number];

export interface MachineAbilities {
  /** False: the agent is an ordinary user's, and root of a user namespace only. */
  root: boolean;
  abilities: Ability[];
}

export type Ability =
  | { name: AbilityName; available: true }
  | ({ name: AbilityName; available: false } & Lack);

/** Both are sentences for people. */
export interface Lack {
  /** What is missing, and why. */
  cause: string;
  nextStep: string;
}
