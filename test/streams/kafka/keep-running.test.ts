import { describe, expect, it } from "vitest";
import { KindredError } from "../../../schemas/errors.js";
import type { Log } from "../../../schemas/ports/log.js";
import { againWhilePassing } from "../../../streams/kafka/keep-running.js";

const log: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

describe("againWhilePassing", () => {
  it("does again what a broker may mend, and not what it cannot", async () => {
    let calls = 0;
    const mended = async (): Promise<void> => {
      if (++calls < 2) throw new KindredError("BROKER_FAILED", "away");
    };
    await againWhilePassing(mended, { ended: () => false, log });
    expect(calls).toBe(2);
    const broken = () => Promise.reject(new KindredError("STORAGE_FAILED", "full"));
    await expect(againWhilePassing(broken, { ended: () => false, log })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  it("does nothing again once nobody waits for it: what it would write to may be closed", async () => {
    let calls = 0;
    let ended = false;
    const failing = async (): Promise<void> => {
      calls++;
      ended = true;
      throw new KindredError("BROKER_FAILED", "away");
    };
    await againWhilePassing(failing, { ended: () => ended, log });
    expect(calls).toBe(1);
  });
});
