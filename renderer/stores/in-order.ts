/**
 * For what is read whole each time: answers are shown in the order in which they were asked for. One
 * that comes after the answer to a later question is dropped; so is its failure.
 */
export class InOrder {
  #asked = 0;
  #shown = 0;

  async read<T>(
    ask: () => Promise<T>,
    show: (answer: T) => void,
    fail: (error: unknown) => void,
  ): Promise<void> {
    this.#asked += 1;
    const turn = this.#asked;
    const next = await ask().then(
      (answer) => () => show(answer),
      (error: unknown) => () => fail(error),
    );
    if (turn < this.#shown) return;
    this.#shown = turn;
    next();
  }
}
