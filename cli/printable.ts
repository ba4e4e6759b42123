/** Text that anybody may have written, so that nothing of it steers the terminal: what cannot be seen is written as its number. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (control) => `\\u{${(control.codePointAt(0) ?? 0).toString(16)}}`);
