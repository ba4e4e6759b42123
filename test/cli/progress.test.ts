import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { formatDuration, Progress } from "../../cli/progress.js";

function recorded(isTTY: boolean): { readonly stream: NodeJS.WritableStream & { isTTY: boolean }; text(): string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100, rows: 10 });
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
  });
  return { stream, text: () => text };
}

describe("Progress", () => {
  it("is silent for what is done within two seconds", () => {
    let now = 0;
    const { stream, text } = recorded(false);
    const progress = new Progress({ label: "replay", unit: "events", stream, now: () => now });
    for (now = 0; now < 2_000; now += 100) progress.update(now, now / 2_000);
    progress.stop();
    expect(text()).toBe("");
  });

  it("writes plain lines now and then where there is no terminal, with rate and time left", () => {
    let now = 0;
    const { stream, text } = recorded(false);
    const progress = new Progress({ label: "replay", unit: "events", stream, now: () => now });
    for (now = 0; now <= 10_000; now += 500) progress.update(now * 100, now / 20_000);
    progress.stop();
    expect(text().split("\n").filter(Boolean)).toEqual([
      "replay: 10 %, 200,000 events, 100,000/s, 18 s left",
      "replay: 35 %, 700,000 events, 100,000/s, 13 s left",
    ]);
  });

  it("says what else is to be said", () => {
    let now = 0;
    const { stream, text } = recorded(false);
    const progress = new Progress({ label: "train", unit: "pairs", stream, now: () => now });
    now = 4_000;
    progress.update(400, 0.5, "loss 1.23");
    expect(text()).toBe("train: 50 %, 400 pairs, 100/s, loss 1.23, 4 s left\n");
  });

  it("says no time left where nobody knows how much there is", () => {
    let now = 0;
    const { stream, text } = recorded(false);
    const progress = new Progress({ label: "verify", unit: "rows", stream, now: () => now });
    now = 4_000;
    progress.update(1_000);
    expect(text()).toBe("verify: 1,000 rows, 250/s\n");
  });

  it("draws a bar on a terminal", () => {
    let now = 0;
    const { stream, text } = recorded(true);
    const progress = new Progress({ label: "replay", unit: "events", stream, now: () => now });
    now = 3_000;
    progress.update(3_000, 0.5);
    progress.stop();
    expect(text()).toContain("replay [");
    expect(text()).toContain("50 %, 3,000 events, 1,000/s, 3 s left");
  });

  it("writes durations as people read them", () => {
    expect([0, 59.4, 60, 245, 7_385].map(formatDuration)).toEqual(["0 s", "59 s", "1 min 00 s", "4 min 05 s", "2 h 03 min"]);
  });
});
