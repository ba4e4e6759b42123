/**
 * What the neighbours of real listeners look like: writes docs/NEIGHBOURS.md from Last.fm plays, by names.
 *
 *   npm run -s bench -- neighbours DIR_OF_LASTFM_2K
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { LoadClient } from "../test/harness/http-load.js";
import { KindredServer, kindredJson, projectRoot, temporaryDirectory } from "../test/harness/kindred-process.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- neighbours DIR_OF_LASTFM_2K");
const LISTENERS = ["2", "430", "1209"];
const names = new Map(
  gunzipSync(await readFile(join(data, "artists.dat.gz")))
    .toString("utf8")
    .split(/\r?\n/)
    .map((line) => line.split("\t") as [string, string]),
);
const directory = await temporaryDirectory("neighbours");
await kindredJson([
  ...["replay", "--from", join(data, "user_artists.dat.gz"), "--format", "tsv"],
  ...["--map", "user=userID,item=artistID,value=weight", "--set", "ts=2011-01-01T00:00:00Z", "--data-dir", directory.path],
]);
const server = await KindredServer.start(directory.path);
const client = new LoadClient(server.url, 2);
try {
  const ask = async <T>(path: string): Promise<T> => JSON.parse((await client.get(path)).body) as T;
  const top = async (user: string): Promise<string[]> =>
    (await ask<{ topItems: { id: string }[] }>(`/v1/users/${user}`)).topItems.map(({ id }) => names.get(id) ?? id);
  const sections: string[] = [];
  for (const user of LISTENERS) {
    const own = await top(user);
    const { results } = await ask<{ results: { id: string; score: number }[] }>(`/v1/recall/u2u?user=${user}&limit=5`);
    const rows: string[] = [];
    for (const { id, score } of results) {
      const theirs = await top(id);
      rows.push(
        `| ${id} | ${score.toFixed(3)} | ${
          theirs
            .filter((name) => own.includes(name))
            .slice(0, 6)
            .join(", ") || "none of their strongest"
        } | ${theirs.slice(0, 4).join(", ")} |`,
      );
    }
    const wanted = await ask<{ results: { id: string }[] }>(`/v1/recall/u2u2i?user=${user}&limit=8`);
    sections.push(
      [
        `## Listener ${user}`,
        "",
        `Plays most: ${own.slice(0, 8).join(", ")}.`,
        "",
        "| neighbour | similarity | shared among the strongest | plays most |",
        "|---|---|---|---|",
        ...rows,
        "",
        `What they play and listener ${user} doesn't (\`u2u2i\`): ${wanted.results.map(({ id }) => names.get(id) ?? id).join(", ")}.`,
        "",
      ].join("\n"),
    );
  }
  const head = `# Neighbours of three real listeners

Last.fm plays of 1,892 people (HetRec 2011), replayed into an empty directory; generation 0: nothing is trained, an item's vector is a
random projection, so two people are near when they play the same artists, weighted by the logarithm of their plays. Made by
\`npm run -s bench -- neighbours DIR_OF_LASTFM_2K\`.

`;
  await writeFile(join(projectRoot, "docs", "NEIGHBOURS.md"), head + sections.join("\n"));
} finally {
  client.close();
  await server.stop();
  await directory.remove();
}
