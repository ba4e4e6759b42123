import type { GenerationRef } from "../../schemas/catalogue.js";
import type { GenerationsRecord } from "../../schemas/ports/generations.js";

/** Where nothing was ever published. */
export const neverPublished = (untrained: GenerationRef): GenerationsRecord => ({
  highest: untrained.generation,
  live: [{ ...untrained, publishedAt: null }],
  serving: untrained.generation,
  previous: null,
  next: null,
  retired: [],
});

/** What catalogues and indexes are made with. */
export const refsOf = ({ live }: GenerationsRecord): GenerationRef[] => live.map(({ publishedAt: _, ...ref }) => ref);
