import { describeAllowed, type Node } from "../../schemas/config-validation.js";

const HEADER = `# The configuration of kindred: every key, with its default commented out (\`#key\`).
# KINDRED_SECTION__SOME_KEY in the environment overrides a key of this file, a flag overrides both:
# server.port is KINDRED_SERVER__PORT, kafka.topics.deadLetters is KINDRED_KAFKA__TOPICS__DEAD_LETTERS.
`;

function inFlow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inFlow).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, entry]) => `${key}: ${inFlow(entry)}`);
    return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
  }
  return typeof value === "string" && !/^[\w./][\w./:-]*$/.test(value) ? JSON.stringify(value) : String(value);
}

function explain(node: Node): string {
  const allowed = describeAllowed(node);
  const adds = node.enum !== undefined || node.type === "integer" || node.type === "number";
  return `${node.description}${adds ? ` ${allowed[0]?.toUpperCase()}${allowed.slice(1)}.` : ""}`;
}

function section(node: Node, indent: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const gap = indent === "" ? [""] : [];
    if (child.properties) return [...gap, `${indent}${key}:`, ...section(child, `${indent}  `)];
    const fallback = child.default === undefined ? "" : ` ${inFlow(child.default)}`;
    return [...gap, `${indent}# ${explain(child)}`, `${indent}#${key}:${fallback}`];
  });
}

/** What kindred.yaml holds, written from the schema. */
export function kindredYaml(root: Node): string {
  return `${HEADER}${section(root, "").join("\n")}\n`;
}
