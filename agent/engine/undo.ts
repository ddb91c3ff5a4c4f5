/**
 * The steps that undo a half-done operation, run in reverse order. A step that fails is reported
 * and does not stop the others, because the caller needs the error that caused the undo.
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
