import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../../test/harness/kindred-process.js";

/** Vectors as a trained model has them, and the users who pool them. */
export interface Tables {
  readonly users: number;
  readonly items: number;
  readonly visits: number;
  /** The first `dims` dimensions of every row; row-major. */
  of(name: "inputs" | "outputs" | "users", dims: number): Float32Array;
}

/** Of the widest rows that benches ask for; a truncated SVD of fewer dimensions is their prefix. */
const DIMS = 256;

/** Made once by svd_vectors.py and kept in bench/out. `blownUp` to so many users and items; as the file has them where absent. */
export function trainedTables(split: string, blownUp?: { readonly users: number; readonly items: number }): Tables {
  const name = blownUp === undefined ? "as-it-is" : `${blownUp.users}x${blownUp.items}`;
  const directory = join(projectRoot, "bench", "out", `svd-${name}`);
  const shapeFile = join(directory, "shape.json");
  if (!existsSync(shapeFile)) {
    const set = ["setup/python.mjs", "bench/requirements.txt"];
    const python = execFileSync(process.execPath, set, { cwd: projectRoot, encoding: "utf8" }).trim();
    const more = blownUp === undefined ? [] : ["--users", String(blownUp.users), "--items", String(blownUp.items)];
    execFileSync(python, [join(projectRoot, "bench", "items", "svd_vectors.py"), split, directory, String(DIMS), ...more], {
      stdio: "inherit",
    });
  }
  const shape = JSON.parse(readFileSync(shapeFile, "utf8")) as { users: number; items: number; visits: number };
  return {
    ...shape,
    of: (table, dims) => {
      const bytes = readFileSync(join(directory, `${table}.f32`));
      const wide = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      const rows = new Float32Array((wide.length / DIMS) * dims);
      for (let row = 0; row < rows.length / dims; row++) rows.set(wide.subarray(row * DIMS, row * DIMS + dims), row * dims);
      return rows;
    },
  };
}
