import { KindredError } from "../../schemas/errors.js";

/** Where each field of a row comes from: a column of the file, or a constant. */
export interface ColumnMap<Field extends string> {
  /** Field → column name; "" = from none. A field that is neither here nor in `constants` is taken from the column of its own name. */
  readonly columns: Readonly<Partial<Record<Field, string>>>;
  /** Field → value of every row. */
  readonly constants: Readonly<Partial<Record<Field, string>>>;
}

/**
 * Reads `user=CustomerID,item=StockCode` (flag `--map`) or `action=play,ts=2011-01-01T00:00:00Z` (`--set`).
 * @throws KindredError USAGE naming the fields there are
 */
export function parseAssignments<Field extends string>(
  text: string,
  fields: readonly Field[],
  flag: string,
): Partial<Record<Field, string>> {
  const assigned: Partial<Record<Field, string>> = {};
  for (const part of text.split(",").filter((some) => some.trim() !== "")) {
    const equals = part.indexOf("=");
    const field = (equals < 0 ? part : part.slice(0, equals)).trim() as Field;
    if (equals < 0 || !fields.includes(field))
      throw new KindredError("USAGE", `${flag} takes field=name, comma separated, with the fields ${fields.join(", ")}; got ${part}`);
    assigned[field] = part.slice(equals + 1).trim();
  }
  return assigned;
}

/** Gives the text of a field of a row; "" where the row has none. */
export type FieldReader = (cells: readonly string[]) => string;

/**
 * How each field is read from the cells of a table.
 * @param required fields that have to come from somewhere
 * @throws KindredError FILE_FORMAT naming the columns that the file has
 */
export function fieldReaders<Field extends string>(
  fields: readonly Field[],
  map: ColumnMap<Field>,
  header: readonly string[],
  required: readonly Field[],
  path: string,
): Map<Field, FieldReader> {
  const readers = new Map<Field, FieldReader>();
  for (const field of fields) {
    const constant = map.constants[field];
    const named = map.columns[field];
    if (constant !== undefined) readers.set(field, () => constant);
    else if (named !== "") {
      const at = header.indexOf(named ?? field);
      if (at >= 0) readers.set(field, (cells) => cells[at] ?? "");
      else if (named !== undefined) throw lacks(path, `the column ${named} (mapped to ${field})`, header);
      else if (required.includes(field))
        throw lacks(path, `a column for ${field}; say which one with --map ${field}=COLUMN, or give it a value with --set`, header);
    }
  }
  return readers;
}

const lacks = (path: string, what: string, header: readonly string[]): KindredError =>
  new KindredError("FILE_FORMAT", `${path} lacks ${what}; its columns are ${header.join(", ")}`, path);

/** The value of a field in a JSON row: the constant, else the member that is mapped or has the field's name. */
export function jsonField<Field extends string>(field: Field, map: ColumnMap<Field>, row: Readonly<Record<string, unknown>>): unknown {
  const name = map.columns[field] ?? field;
  if (name === "") return map.constants[field];
  return map.constants[field] ?? (Object.hasOwn(row, name) ? row[name] : undefined);
}
