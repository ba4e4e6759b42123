import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { saveModel } from "../../../models/model-folder/model-folder.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { LossPoint } from "../../../schemas/model.js";
import { type CommandEnd, runCommand } from "../../harness/run-command.js";

describe("kindred evaluate", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-evaluate-command-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const evaluate = (...args: string[]): Promise<CommandEnd> => runCommand(["evaluate", ...args]);

  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };

  /** Who has a goes on to c, who has b to d: `way` 1 knows it, -1 believes the opposite. */
  async function model(name: string, way: 1 | -1, losses?: LossPoint[]): Promise<string> {
    const items = ["a", "b", "c", "d"] as ItemId[];
    const input = { dims: 2, values: Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1) };
    const output = { dims: 2, values: Float32Array.of(0, 0, 0, 0, way, -way, -way, way) };
    const data = { users: 1, interactions: 1, fingerprint: "0".repeat(64) };
    const folder = join(directory, name);
    const description = { seed: 1, data, settings: {}, metrics: {}, ...(losses && { losses }) };
    await saveModel(folder, { kind: "item2vec", items, input, output, score: "dot" }, description);
    return folder;
  }

  const users = Array.from({ length: 40 }, (_, u) => ({ user: `u${u}`, of: u % 2 === 0 ? "a" : "b", next: u % 2 === 0 ? "c" : "d" }));
  const train = () => file("train.txt", `${users.map(({ user, of }) => `${user} ${of}`).join("\n")}\nv c\nw d\n`);
  const test = () => file("test.txt", users.map(({ user, next }) => `${user} ${next}`).join("\r\n"));

  it("prints the figures of the first model, and the whole report, as JSON", async () => {
    const args = ["--model", await model("right", 1), "--train", train(), "--test", test(), "--k", "1,2", "--json"];
    const { code, out, err } = await evaluate(...args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const printed = JSON.parse(out);
    expect(printed).toMatchObject({ "recall@1": 1, "ndcg@1": 1, "recall@2": 1, "precision@2": 0.5, format: 1 });
    expect(printed.split).toMatchObject({ users: 42, testedUsers: 40 });
    expect(printed.models.map(({ name }: { name: string }) => name)).toEqual(["right", "popularity"]);
  });

  it("shows models side by side, stars what differs, and writes a page of it", async () => {
    const page = join(directory, "report.html");
    const models = ["--model", await model("right", 1), await model("wrong", -1)];
    const friends = file("friends.txt", "u0 u2 u4\n");
    const { code, out } = await evaluate(...models, "--train", train(), "--test", test(), "--k", "1", "--html", page, "--friends", friends);
    expect(code).toBe(0);
    expect(out).toMatch(/^right +1\.0000 /m);
    expect(out).toMatch(/^wrong +0\.0000\*/m);
    expect(out).toMatch(/^friends +auc/m);
    expect(out).toContain(page);
    const html = readFileSync(page, "utf8");
    expect(html).toContain("<title>right, wrong on test.txt</title>");
    expect(html).toContain("<circle");
    expect(html).toContain("near a (head, 20 users)");
  });

  it("asks for users who were held out after their first events, by type, and shows titles and losses", async () => {
    const items = file("items.csv", "item,type,title\na,song,Alpha\nb,song,Beta\nc,podcast,Gamma\nd,song,\nbad line\n");
    const page = join(directory, "report.html");
    const held = file("held.txt", `${users.map(({ user, of, next }) => `new-${user} ${of} ${next}`).join("\n")}\n`);
    const folder = await model("right", 1, [
      { share: 0, loss: 2 },
      { share: 1, loss: 1 },
    ]);
    const { code, out, err } = await evaluate(
      ...["--model", folder, "--train", train(), "--test", held, "--k", "1", "--cold", "0,1", "--html", page, "--items", items, "--json"],
    );
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("1 lines") });
    const printed = JSON.parse(out);
    expect(printed.models[0].newcomers).toMatchObject({ "recall@1 after 0": 0, "recall@1 after 1": 1 });
    expect(printed.split.newcomers).toEqual([
      { events: 0, users: 40 },
      { events: 1, users: 40 },
    ]);
    const html = readFileSync(page, "utf8");
    expect(html).toContain("near Alpha (head, 20 users)");
    expect(html).toContain("recall@1 after 1");
    expect(html).toContain("<polyline");
    // Typed by the file: both songs and podcasts are wanted by those who are asked.
    const typed = await evaluate("--model", folder, "--train", train(), "--test", test(), "--k", "1", "--titles", items, "--json");
    expect(JSON.parse(typed.out).models[0].types).toEqual({ "recall@1/song": 1, "recall@1/podcast": 1 });
  });

  it("calls models by their paths where folders have one name", async () => {
    const models = [await model("one/same", 1), await model("two/same", -1)];
    const { out } = await evaluate("--model", ...models, "--train", train(), "--test", test(), "--json");
    expect(JSON.parse(out).models.map(({ name }: { name: string }) => name)).toEqual([...models, "popularity"]);
  });

  it("says what is wrong with what it was given", async () => {
    const right = await model("right", 1);
    const call = (...args: string[]) => evaluate("--model", right, "--train", train(), ...args);
    expect(await call()).toMatchObject({ code: 2, err: expect.stringContaining("--test") });
    expect(await call("--test", test(), "--k", "5,x")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^error USAGE: .*different integers/),
    });
    expect(await call("--test", join(directory, "none.txt"))).toMatchObject({ code: 1, err: expect.stringMatching(/^error FILE_FORMAT/) });
    const strangers = file("strangers.txt", "nobody a\n");
    expect(await call("--test", strangers)).toMatchObject({ code: 1, err: expect.stringMatching(/^error INVALID_ARGUMENT: no user/) });
    expect(await call("--test", test(), "--html", join(directory, "none", "page.html"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error STORAGE_FAILED/),
    });
    writeFileSync(join(right, "input.npy"), "x");
    expect(await call("--test", test())).toMatchObject({ code: 1, err: expect.stringMatching(/^error MODEL_INVALID/) });
  });
});
