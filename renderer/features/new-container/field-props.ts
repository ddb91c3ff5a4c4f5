import type { Text } from '../../messages/use-text.ts';
import type { Form } from './form.ts';
import type { Problems } from './validate.ts';

/** What every part of the form receives. */
export interface FieldProps {
  form: Form;
  set: (change: Partial<Form>) => void;
  problems: Problems;
  /** Whether the person has tried to create: then empty fields are wrong too. */
  tried: boolean;
}

/** The sentence for one field's problem. What was not filled in yet is not called wrong. */
export function problemOf(
  { problems, tried }: FieldProps,
  field: string,
  value: string,
  t: Text,
): string | undefined {
  const problem = problems[field];
  if (!problem || (value === '' && !tried)) return undefined;
  return t(problem.id, problem.values);
}
