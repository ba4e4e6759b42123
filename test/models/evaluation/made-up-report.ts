import { evaluateModels } from "../../../models/evaluation/evaluate-models.js";
import type { EvaluationReport } from "../../../models/evaluation/report.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import { historiesOf, madeUp } from "./made-up-split.js";

/** Two models of noise under the given names. */
export function madeUpReport(names: readonly [string, string], rounds = 50): Promise<EvaluationReport> {
  const random = new SeededRandom(8);
  const draw = () => madeUp(() => random.next() / 2 ** 32);
  const [first, second] = [draw(), draw()];
  const models = [
    { name: names[0], model: first.model },
    { name: names[1], model: second.model },
  ];
  return evaluateModels(models, historiesOf(first.train), historiesOf(first.test), { ks: [5, 20], rounds, neighbours: 5 });
}
