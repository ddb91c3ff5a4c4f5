/**
 * Which machine is looked at. What is asked of an engine goes to the machine that was looked at when
 * it was asked, and its answer is only given while that look lasts: what belongs to one machine must
 * never be shown, or acted upon, as another's.
 */
export interface Look {
  readonly machine: string;
}

let look: Look = { machine: '' };

/** Begins a new look, also at the same machine: nothing asked before is answered any more. */
export function lookAt(machine: string): void {
  look = { machine };
}

export function currentLook(): Look {
  return look;
}

/** The outcome, if the look still lasts then. Else it never settles: nobody waits for it any more. */
export function whileLooking<T>(since: Look, outcome: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    outcome.then(
      (value) => since === look && resolve(value),
      (error: unknown) => since === look && reject(error),
    );
  });
}
