import { create } from 'zustand';
import { atSwitch } from './per-machine.ts';
import type { Sentence } from './sentence.ts';

export interface Question {
  title: Sentence;
  body: Sentence[];
  confirm: Sentence;
  answer: (confirmed: boolean) => void;
}

/** The one question that may stand before the person now. */
export const useQuestion = create<{ question: Question | undefined }>()(() => ({
  question: undefined,
}));

/** What was asked about the one machine is not answered about another. */
atSwitch(() => useQuestion.getState().question?.answer(false));

/** Resolves with the answer. A question that another one replaces counts as "no". */
export function ask(question: Omit<Question, 'answer'>): Promise<boolean> {
  useQuestion.getState().question?.answer(false);
  return new Promise((resolve) => {
    const answer = (confirmed: boolean) => {
      useQuestion.setState({ question: undefined });
      resolve(confirmed);
    };
    useQuestion.setState({ question: { ...question, answer } });
  });
}
