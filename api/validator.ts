import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { KindredError } from "../schemas/errors.js";

type Convert = (value: unknown) => unknown;

const NUMBER = /^-?\d{1,16}(\.\d{1,16})?$/;

/**
 * Bodies are checked as they are. Parameters arrive as text: those declared as numbers or booleans are read strictly
 * (`10`, `true`), what does not read stays text and is refused by the check; defaults are filled in.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const isBody = httpPart === "body";
  const convert = isBody ? (value: unknown) => value : fromText(schema);
  return (raw) => {
    const value = convert(raw);
    if (validator.Check(value)) return { value };
    const error = validator.Errors(value).at(-1);
    const where = error?.instancePath.slice(1).replaceAll("/", ".");
    return { error: new KindredError(isBody ? "INVALID_BODY" : "INVALID_PARAMETER", describe(error), where === "" ? undefined : where) };
  };
};

function describe(error: { message: string; params: object } | undefined): string {
  const allowed = error === undefined ? undefined : (error.params as { allowedValues?: readonly unknown[] }).allowedValues;
  const unknown = error === undefined ? undefined : (error.params as { additionalProperties?: readonly string[] }).additionalProperties;
  const more = allowed?.join(", ") ?? unknown?.slice(0, 5).join(", ");
  return `${error?.message ?? "not of the documented shape"}${more === undefined ? "" : `: ${more}`}`;
}

function fromText(schema: TSchema): Convert {
  const properties = Object.entries((schema as { properties?: Record<string, { type?: string; default?: unknown }> }).properties ?? {});
  const numbers = properties.filter(([, p]) => p.type === "integer" || p.type === "number").map(([name]) => name);
  const booleans = properties.filter(([, p]) => p.type === "boolean").map(([name]) => name);
  const defaults = properties.filter(([, p]) => p.default !== undefined).map(([name, p]) => [name, p.default] as const);
  return (raw) => {
    const values = raw as Record<string, unknown>;
    for (const name of numbers) {
      const text = values[name];
      if (typeof text === "string" && NUMBER.test(text)) values[name] = Number(text);
    }
    for (const name of booleans) if (values[name] === "true" || values[name] === "false") values[name] = values[name] === "true";
    for (const [name, value] of defaults) values[name] ??= value;
    return values;
  };
}
