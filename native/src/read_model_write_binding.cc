// The writer's side of the read model in JavaScript: a micro-batch is checked and unpacked here.
#include "read_model_binding.h"

#include <cmath>

namespace kindred::read_model {

namespace {

// Numbers of a row: fingerprint halves and flag, then events, updatedAt and offset.
std::vector<RowNumbers> ReadNumbers(const Napi::Object& packed, uint32_t partition) {
  const std::vector<uint32_t> bits = Uint32s(packed.Get("fingerprints"), "fingerprints");
  const std::vector<double> numbers = Float64s(packed.Get("numbers"), "numbers");
  const size_t rows = bits.size() / 3;
  if (bits.size() != rows * 3 || numbers.size() != rows * 3) RefuseArgument("fingerprints and numbers must be three a row");
  std::vector<RowNumbers> out(rows);
  for (size_t r = 0; r < rows; r++) {
    const double events = numbers[r * 3];
    const double updated_at = numbers[r * 3 + 1];
    const double offset = numbers[r * 3 + 2];
    const auto counts = [](double n) { return n >= 0 && n <= kMaxSafe && n == std::floor(n); };
    if (!counts(events)) RefuseArgument("events must be an integer from 0");
    if (!counts(offset)) RefuseArgument("offset must be an integer from 0");
    if (!std::isfinite(updated_at)) RefuseArgument("updatedAt must be finite");
    out[r] = {uint64_t{bits[r * 3]} << 32 | bits[r * 3 + 1], bits[r * 3 + 2] != 0, partition, events, updated_at, offset};
  }
  return out;
}

}  // namespace

Napi::Value ReadModelWrap::Apply(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&]() -> Napi::Value {
    ReadModel& model = this->model();
    if (!info[0].IsObject()) RefuseArgument("a batch is an object");
    const auto packed = info[0].As<Napi::Object>();
    Batch batch;
    const auto partition = static_cast<uint32_t>(Integer(packed.Get("partition"), 0, UINT16_MAX, "partition"));
    batch.erased = Texts(packed.Get("erased"), packed.Get("erasedLengths"), 1, kMaxIdUnits, "erased users");
    batch.users = Texts(packed.Get("users"), packed.Get("userLengths"), 1, kMaxIdUnits, "users");
    batch.new_items = Texts(packed.Get("newItems"), packed.Get("newItemLengths"), 1, kMaxIdUnits, "items");
    batch.numbers = ReadNumbers(packed, partition);
    batch.counts = Uint32s(packed.Get("counts"), "counts");
    const std::vector<uint32_t> items = Uint32s(packed.Get("items"), "items");
    const std::vector<float> weights = Float32s(packed.Get("weights"), "weights");
    if (items.size() != weights.size()) RefuseArgument("items and weights must be of one length");
    batch.items = items.data();
    batch.weights = weights.data();
    batch.item_count = items.size();
    return ToUint32Array(info.Env(), model.Apply(batch));
  });
}

void ReadModelWrap::SetApplied(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] {
    const auto partition = static_cast<uint32_t>(Integer(info[0], 0, UINT16_MAX, "partition"));
    model().SetApplied(partition, Integer(info[1], 0, kMaxSafe, "offset"), Finite(info[2], "eventTime"));
  });
}

void ReadModelWrap::PutItemInfo(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] { model().PutItemInfo(Texts(info[0], info[1], 1, kMaxIdUnits, "items"), Texts(info[2], info[3], 0, 1 << 20, "side information")); });
}

}  // namespace kindred::read_model
