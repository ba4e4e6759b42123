#include "skip_gram_walks.h"

#include <algorithm>
#include <string>

#include "coded_error.h"

namespace kindred::skip_gram {

namespace {

void Check(const Relation& relation, uint32_t nodes) {
  const auto& [first, starts, targets, weights] = relation;
  if (starts.empty() || starts[0] != 0 || starts.back() != targets.size() || weights.size() != targets.size())
    RefuseArgument("starts of a relation are those of its edges");
  if (!std::is_sorted(starts.begin(), starts.end())) RefuseArgument("starts of a relation never fall");
  if (uint64_t{first} + starts.size() - 1 > nodes) RefuseArgument("a relation begins beyond the nodes");
  for (const uint32_t target : targets)
    if (target >= nodes) RefuseArgument("an edge leads beyond the nodes");
  for (const float weight : weights)
    if (!(weight > 0 && weight <= 1e30f)) RefuseArgument("edges weigh more than 0");
}

bool LeadsFrom(const Relation& relation, uint32_t node) { return node >= relation.first && node - relation.first < relation.starts.size() - 1; }

// Each step must be able to begin where the one before it ends: checked once, so that walking needs no check.
void Check(const MetaPath& path, const std::vector<Relation>& relations) {
  if (path.relations.empty() || path.nodes.empty()) RefuseArgument("a path has steps and nodes to begin at");
  for (const uint32_t relation : path.relations)
    if (relation >= relations.size()) RefuseArgument("a path has a relation that is not there");
  for (const uint32_t node : path.nodes)
    if (!LeadsFrom(relations[path.relations[0]], node)) RefuseArgument("a path begins at a node that its first relation does not know");
  for (size_t step = 0; step < path.relations.size(); step++) {
    const Relation &here = relations[path.relations[step]], &next = relations[path.relations[(step + 1) % path.relations.size()]];
    for (const uint32_t target : here.targets)
      if (!LeadsFrom(next, target)) RefuseArgument("a path's step " + std::to_string(step) + " ends where the next can't begin");
  }
}

}  // namespace

Walks::Walks(WalkData data, uint32_t nodes) : data_(std::move(data)) {
  if (data_.length < 2 || data_.window < 1) RefuseArgument("a walk has 2 nodes or more, a window 1 or more");
  if (data_.contexts.size() != size_t{data_.types} * data_.types) RefuseArgument("contexts are a square of the types");
  for (const Relation& relation : data_.relations) Check(relation, nodes);
  begins_.push_back(0);
  uint64_t walkers = 0;
  for (const MetaPath& path : data_.paths) {
    Check(path, data_.relations);
    walkers += path.nodes.size();
    if (walkers >= 1ull << 31) RefuseArgument("there are too many nodes to begin at");
    begins_.push_back(static_cast<uint32_t>(walkers));
  }
  if (walkers == 0) RefuseArgument("there is nowhere to begin");
  for (const Relation& relation : data_.relations) {
    Draws draws{std::vector<float>(relation.targets.size(), 1.f), std::vector<uint32_t>(relation.targets.size())};
    for (size_t node = 0; node + 1 < relation.starts.size(); node++) {
      const uint32_t from = relation.starts[node], count = relation.starts[node + 1] - from;
      MakeAliases(&relation.weights[from], count, &draws.share[from], &draws.alias[from]);
    }
    draws_.push_back(std::move(draws));
  }
}

void Walks::Walk(uint32_t walker, Random& random, std::vector<uint32_t>& nodes) const {
  const size_t number = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), walker) - begins_.begin()) - 1;
  const MetaPath& path = data_.paths[number];
  nodes.clear();
  uint32_t node = path.nodes[walker - begins_[number]];
  nodes.push_back(node);
  for (size_t step = 0; nodes.size() < data_.length; step = (step + 1) % path.relations.size()) {
    const Relation& relation = data_.relations[path.relations[step]];
    const Draws& draws = draws_[path.relations[step]];
    const uint32_t from = relation.starts[node - relation.first], count = relation.starts[node - relation.first + 1] - from;
    if (count == 0) return;
    const uint32_t at = random.Below(count);
    node = relation.targets[from + (random.Share() < draws.share[from + at] ? at : draws.alias[from + at])];
    nodes.push_back(node);
  }
}

}  // namespace kindred::skip_gram
