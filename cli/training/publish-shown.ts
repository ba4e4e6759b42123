import { Progress } from "../progress.js";
import { type GenerationsBody, type GenerationsTarget, untilAnswering } from "../wiring/generations-target.js";

/** Waits with a progress until the generation answers, or is not to by itself any more. */
export async function publishShown(target: GenerationsTarget, id: number, signal: AbortSignal): Promise<GenerationsBody> {
  const progress = new Progress({ label: "publish", unit: "users", stream: process.stderr });
  return untilAnswering(target, id, signal, (rows, pooled, state) => progress.update(rows, pooled, state)).finally(() => progress.stop());
}
