/**
 * What a half-done operation must take back. Steps run in reverse order; one that fails does not
 * keep the others from running, and its error goes to `report`, since the failure that people need
 * to hear about is the one that made us undo.
 */
export class Undo {
  readonly #steps: (() => unknown)[] = [];

  push(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(report: (error: unknown) => void): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        report(error);
      }
    }
  }
}
