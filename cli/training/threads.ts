import { availableParallelism } from "node:os";
import { MAX_THREADS } from "../../models/training/model-kind.js";

/** Of a training that is not told how many: as many as there are cores. */
export const defaultThreads = (): number => Math.min(MAX_THREADS, availableParallelism());
