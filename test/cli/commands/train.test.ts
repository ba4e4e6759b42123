import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "../../../models/model-folder/model-folder.js";
import { GRAPH_DEFAULTS } from "../../../models/training/graph-settings.js";
import { ITEM2VEC_DEFAULTS } from "../../../models/training/item2vec-settings.js";
import { type CommandEnd, runCommand } from "../../harness/run-command.js";

describe("kindred train", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-train-command-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const train = (...args: string[]): Promise<CommandEnd> => runCommand(["train", "item2vec", ...args]);

  function histories(text = Array.from({ length: 60 }, (_, u) => `u${u} song:${u % 7} song:${u % 5} song:9`).join("\r\n")): string {
    const file = join(directory, "train.txt");
    writeFileSync(file, text);
    return file;
  }

  it("makes a model folder of a split file, and says what it did", async () => {
    const into = join(directory, "model");
    const { code, out } = await train("--train", histories(), "--out", into, "--dims", "16", "--epochs", "3", "--threads", "1", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ done: true, items: 8, users: 60, into });
    const { model, manifest } = await loadModel(into);
    expect(model.items).toHaveLength(8);
    expect(manifest).toMatchObject({ dims: 16, seed: 1, data: { users: 60 }, settings: { epochs: 3, window: ITEM2VEC_DEFAULTS.window } });
    expect(manifest.metrics).toMatchObject({ pairs: JSON.parse(out).pairs, loss: JSON.parse(out).loss });
  });

  it("gives the same bytes with one thread, and takes every setting", async () => {
    const flags = "--dims 8 --epochs 2 --seed 3 --threads 1 --window 4 --negatives 3 --negative-weight 2 --exponent 0.75 --sample 0.1";
    const more = "--constrained 0.5 --strata 2 --optimizer sgd --rate 0.02 --last-rate 0.001";
    const [one, two] = [join(directory, "one"), join(directory, "two")];
    for (const into of [one, two])
      expect(await train("--train", histories(), "--out", into, ...`${flags} ${more}`.split(" "))).toMatchObject({ code: 0, err: "" });
    for (const name of ["manifest.json", "input.npy", "output.npy"])
      expect(readFileSync(join(one, name))).toEqual(readFileSync(join(two, name)));
    expect((await loadModel(one)).manifest.settings).toEqual({
      ...{ dims: 8, epochs: 2, seed: 3, threads: 1, window: 4, negatives: 3, negativeWeight: 2, exponent: 0.75, sample: 0.1 },
      ...{ constrained: 0.5, strata: 2, optimizer: "sgd", rate: 0.02, lastRate: 0.001 },
    });
  });

  it("trains a graph model by the same command, to the same bytes", async () => {
    const [one, two] = [join(directory, "one"), join(directory, "two")];
    const flags = "--dims 8 --epochs 2 --seed 3 --threads 1 --negatives 4 --least-kept 0.4 --debias 0.1 --json".split(" ");
    for (const into of [one, two]) {
      const { code, out } = await runCommand(["train", "graph", "--train", histories(), "--out", into, ...flags]);
      expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ done: true, items: 8, users: 60 })]);
    }
    for (const name of ["manifest.json", "input.npy", "output.npy", "losses.json"])
      expect(readFileSync(join(one, name))).toEqual(readFileSync(join(two, name)));
    const { model, manifest } = await loadModel(one);
    expect([model.kind, manifest.settings]).toEqual([
      "graph",
      { ...GRAPH_DEFAULTS, ...{ dims: 8, epochs: 2, seed: 3, negatives: 4, leastKept: 0.4, debias: 0.1 } },
    ]);
  });

  it.each([
    [[], 2, /--out/],
    [["--dims", "4"], 2, /integer from 8 to 1024/],
    [["--optimizer", "adam"], 2, /adagrad, sgd/],
    [["--window", "1"], 2, /integer from 2/],
  ])("%j is wrong usage", async (args, code, message) => {
    const needed = args.length === 0 ? [] : ["--train", histories(), "--out", join(directory, "m")];
    expect(await train(...needed, ...args)).toMatchObject({ code, err: expect.stringMatching(message) });
  });

  it("says what is wrong with the data, and makes no folder", async () => {
    const into = join(directory, "model");
    expect(await train("--train", join(directory, "none"), "--out", into)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error FILE_FORMAT/),
    });
    expect(await train("--train", histories("u1\nu2 a\n"), "--out", into)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/two items/),
    });
    await expect(loadModel(into)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });
});

describe("kindred train metapath2vec", () => {
  it("makes a folder with every type of nodes of event files and side information, and says what was rejected", async () => {
    const directory = mkdtempSync(join(tmpdir(), "kindred-train-command-"));
    try {
      const file = (name: string, text: string): string => {
        writeFileSync(join(directory, name), text);
        return join(directory, name);
      };
      const line = (_: unknown, i: number): string =>
        `u${i % 20},${i % 3 === 0 ? "podcast" : "song"}:${i % 7},${i % 2 === 0 ? "like" : "play"},${i + 1}`;
      const events = file("events.csv", `who,what,action,ts\n${Array.from({ length: 300 }, line).join("\n")}\nx,,play,1\n`);
      const items = file("items.tsv", "id\tband\ttags\nsong:1\tann\tcalm\nsong:2\tann\tcalm\npodcast:3\tbob\ttalk\n");
      const into = join(directory, "model");
      const source = ["--from", events, "--map", "user=who,item=what", "--items", items, "--items-map", "item=id,creators=band"];
      const settings = ["--dims", "8", "--epochs", "2", "--threads", "1", "--heterogeneous-negatives"];
      const path = [
        "--path",
        "user-song-user,user-(like)item-(like)user,user-song-artist-song-user",
        "--context",
        "user~item,item~item,creator~song",
      ];
      const { code, out, err } = await runCommand(["train", "metapath2vec", ...source, "--out", into, ...settings, ...path, "--json"]);
      expect([code, err]).toEqual([0, expect.stringMatching(/^warning EVENT_ITEM: .*events.csv line 302\)\n$/)]);
      expect(JSON.parse(out)).toMatchObject({ done: true, users: 20, events: 300, rejected: 1, into });
      const { model, manifest, losses } = await loadModel(into, { nodes: true });
      expect(model.nodes!.map(({ type, ids, vectors }) => [type, ids.length, vectors.values.length / vectors.dims])).toEqual([
        ["user", 20, 20],
        ["creator", 2, 2],
      ]);
      expect(manifest).toMatchObject({ kind: "metapath2vec", settings: { heterogeneousNegatives: true, path: path[1] } });
      expect(losses.length).toBeGreaterThan(0);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it.each([
    [["--train", "a", "--from", "b"], /--train or --from, not both/],
    [["--items", "a"], /--items goes with/],
    [["--from", "kafka"], /source.kind is journal/],
    [["--from", "journal", "b"], /source.kind is journal/],
    [["--from", "events.what"], /name does not say the format/],
    [["--from", "events.csv", "--since", "yesterday"], /not a time/],
  ])("%j is wrong usage", async (args, message) => {
    const directory = mkdtempSync(join(tmpdir(), "kindred-train-command-"));
    writeFileSync(join(directory, "events.what"), "");
    try {
      const from = args.map((arg) => (arg === "events.what" ? join(directory, arg) : arg));
      const end = await runCommand(["train", "metapath2vec", ...from, "--out", join(directory, "m"), "--data-dir", join(directory, "d")]);
      expect(end).toMatchObject({ code: 2, err: expect.stringMatching(message) });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
