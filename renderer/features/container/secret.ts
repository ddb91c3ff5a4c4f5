/** Whether a variable's name says that its value is nobody's business who looks at the screen. */
export function isSecret(name: string): boolean {
  return /(^|_)(PASS(WORD|WD|PHRASE)?|SECRETS?|TOKEN|CREDENTIALS?|KEY|APIKEY|PRIVATE|AUTH)(_|$)/i.test(
    name,
  );
}
