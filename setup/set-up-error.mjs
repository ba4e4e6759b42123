/** A set-up that cannot go on. The message is all the user sees, so it says what to run. */
export class SetUpError extends Error {}
