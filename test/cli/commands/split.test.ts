import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CommandEnd, runCommand } from "../../harness/run-command.js";

describe("kindred split", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-split-command-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const split = (...args: string[]): Promise<CommandEnd> => runCommand(["split", ...args, "--out", join(directory, "out")]);
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const lines = (name: string): string[] =>
    gunzipSync(readFileSync(join(directory, "out", name)))
      .toString()
      .trimEnd()
      .split("\n");
  const both = () => ({ train: lines("train.txt.gz"), test: lines("test.txt.gz") });

  const events = () =>
    file(
      "events.csv",
      "who,what,t,action\nu,a,1300000000,play\nu,c,1300000030,play\nu,b,1300000010,play\nv,a,1300000020,like\nv,d,1300000040,skip\nnot an event\n",
    );
  const MAP = ["--map", "user=who,item=what,ts=t,action=action"];

  it("keeps each user's newest item back, counts what is no event, and does not foretell what was disliked", async () => {
    const { code, out, err } = await split("last", "--from", events(), ...MAP, "--json");
    expect(code).toBe(0);
    expect(both()).toEqual({ train: ["u a b", "v a"], test: ["u c"] });
    expect(JSON.parse(out)).toMatchObject({
      train: { users: 2, interactions: 3 },
      test: { users: 1, interactions: 1 },
      rejected: 1,
      disliked: 1,
    });
    expect(err).toContain("1 lines that are no events");
  });

  it("cuts at a time, given or by the share that is to lie behind it", async () => {
    expect(await split("time", "--from", events(), ...MAP, "--at", "2011-03-13T07:06:50Z")).toMatchObject({ code: 0 });
    expect(both()).toEqual({ train: ["u a"], test: ["u c b", "v a"] });
    expect(await split("time", "--from", events(), ...MAP, "--share", "0.25")).toMatchObject({ code: 0 });
    expect(both()).toEqual({ train: ["u a b", "v a"], test: ["u c"] });
  });

  it("holds out users with their items in order of time, or of histories at random, the same by seed", async () => {
    expect(await split("users", "--from", events(), ...MAP)).toMatchObject({ code: 0 });
    expect(both()).toEqual({ train: ["v a"], test: ["u a b c"] });
    const histories = file("histories.txt", Array.from({ length: 40 }, (_, u) => `u${u} a b c d`).join("\n"));
    const held = async (way: string, seed: string) => {
      expect(await split(way, "--input", histories, "--share", "0.25", "--seed", seed)).toMatchObject({ code: 0 });
      return both();
    };
    const first = await held("users", "1");
    expect([first.train.length, first.test.length]).toEqual([30, 10]);
    expect(await held("users", "2")).not.toEqual(first);
    expect(await held("users", "1")).toEqual(first);
    const items = await held("items", "1");
    expect([items.train.length, items.test.every((line) => line.split(" ").length === 2)]).toEqual([40, true]);
  });

  it.each<[string, string[], number, RegExp]>([
    ["no source", ["last"], 2, /one of --from and --input/],
    ["a way that there is not", ["nightly", "--input", "x"], 2, /last, time, items, users/],
    ["times of histories", ["last", "--input", "x"], 2, /needs --from/],
    ["a time where none is asked for", ["users", "--input", "x", "--at", "2011-01-01T00:00:00Z"], 2, /--at/],
    ["a file that is not there", ["users", "--input", "no such file"], 1, /FILE_FORMAT/],
  ])("says what is wrong with %s", async (_, args, code, message) => {
    expect(await split(...args)).toMatchObject({ code, err: expect.stringMatching(message) });
  });

  it("says where nothing is left, where no line is an event, and leaves out what can't be in a split file", async () => {
    const one = file("one.txt", "u a\n");
    expect(await split("items", "--input", one)).toMatchObject({ code: 1, err: expect.stringContaining("nothing is left for test") });
    const none = file("none.csv", "user,item,ts\nu,a,yesterday\n");
    expect(await split("last", "--from", none)).toMatchObject({ code: 1, err: expect.stringContaining("none of the lines is an event") });
    const spaced = file("spaced.csv", "user,item,ts\nu,a,1300000000\nu,b,1300000002\nu,a b,1300000003\nw w,c,1300000001\n");
    expect(await split("last", "--from", spaced)).toMatchObject({ code: 0, err: expect.stringContaining("2 events of ids with a space") });
    expect(both()).toEqual({ train: ["u a"], test: ["u b"] });
  });
});
