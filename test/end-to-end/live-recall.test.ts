import { expect, it } from "vitest";
import { publisherSettings } from "../../index/shards/publisher-settings.js";
import { defaultConfig } from "../../schemas/config-validation.js";
import { generateTown } from "../../town/town.js";
import { townHistory } from "../../town/town-events.js";
import { liveRecallStream, type StreamReport } from "../harness/live-recall-stream.js";
import { randomOf } from "../index/vector-engine/listeners.js";

const town = generateTown({ seed: 3, listeners: 3000 });
const events = [...townHistory(town, { seed: 3, endTs: Date.UTC(2026, 0, 1), spanMs: 30 * 86_400_000, eventsEach: 12 })];

/** From the first event to the last: graphs are thin and searches narrow at the beginning, so that something is to be tuned. */
function stream(): Promise<StreamReport> {
  const { index } = defaultConfig();
  const random = randomOf(9);
  const publisher = publisherSettings(index);
  return liveRecallStream({
    ...{ events, dims: 64, index: { ...index, ef: 50 }, scanRowsPerEf: 0, eventsPerSecond: 500, checkpoints: 10, usersAsked: 100 },
    random: (n) => Math.floor(random() * n),
    publisher: {
      ...publisher,
      limits: { ...publisher.limits, minRows: 300 },
      build: { m: 6, efConstruction: 40 },
      ...{ minRecall: 0, efLimits: { least: 50, most: 1000 } },
    },
  });
}

it("finds 95 % of the true neighbours at every moment of a stream, while vectors move and graphs are swapped", async () => {
  const { checkpoints, swaps, tuned, failures } = await stream();
  expect(failures).toBe(0);
  expect(swaps.length).toBeGreaterThan(1);
  expect(tuned.length).toBeGreaterThan(0);
  expect(checkpoints.filter(({ walked }) => walked).length).toBeGreaterThan(5);
  expect(checkpoints.at(-1)?.rows).toBe(3000);
  expect(Math.min(...checkpoints.map(({ recall }) => recall))).toBeGreaterThanOrEqual(0.95);
}, 300_000);
