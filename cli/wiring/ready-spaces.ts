import type { Generation } from "../../schemas/ids.js";
import type { GenerationState, GenerationStatus, LiveGeneration } from "../../schemas/ports/generations.js";
import type { Log } from "../../schemas/ports/log.js";
import type { SearchIndex } from "./search-index.js";

/** How often it is looked whether a generation that is being published can answer by now. */
export const LOOK_EVERY_MS = 200;

export interface ReadySpacesParts {
  readonly index: () => SearchIndex | undefined;
  /** Whether every row that readers have is of a catalogue with this generation. */
  readonly isPooled: (generation: Generation, index: SearchIndex) => boolean;
  /** How many users there are. */
  readonly users: () => number;
  readonly log: Log;
}

/** Which of an index's spaces can answer: those of which every user is pooled, and then every shard built and verified. */
export class ReadySpaces {
  private readonly pooled = new Set<Generation>();
  private readonly ready = new Set<Generation>();

  constructor(private readonly parts: ReadySpacesParts) {}

  has(generation: Generation): boolean {
    return this.ready.has(generation);
  }

  isPooled(generation: Generation): boolean {
    return this.pooled.has(generation);
  }

  /** It answers: whatever it lacks. */
  add(generation: Generation): void {
    this.pooled.add(generation);
    this.ready.add(generation);
  }

  forget(generation: Generation): void {
    this.pooled.delete(generation);
    this.ready.delete(generation);
  }

  /** Looks at those that are not ready yet; what is pooled by now begins to be built. */
  look(live: readonly LiveGeneration[]): void {
    const { isPooled, log } = this.parts;
    const index = this.parts.index();
    if (!index) return;
    for (const { generation } of live) {
      const space = index.space(generation);
      if (!space || this.ready.has(generation)) continue;
      if (!this.pooled.has(generation)) {
        if (!isPooled(generation, index)) continue;
        this.pooled.add(generation);
        space.start();
        log.info({ generation, users: space.users.size }, "every user is pooled in this generation");
      }
      if (space.complete) this.ready.add(generation);
    }
  }

  statusOf(ref: LiveGeneration, serving: Generation): GenerationStatus {
    const { generation } = ref;
    const space = this.parts.index()?.space(generation);
    const rows = space?.users.size ?? 0;
    const pooled = this.pooled.has(generation) ? 1 : Math.min(1, rows / Math.max(1, this.parts.users()));
    return { ref, state: this.stateOf(generation, serving), pooled, rows, items: space?.items?.outputs.size ?? 0 };
  }

  private stateOf(generation: Generation, serving: Generation): GenerationState {
    if (generation === serving) return "active";
    if (this.ready.has(generation)) return "ready";
    return this.pooled.has(generation) ? "building" : "pooling";
  }
}
