// The files of a shard (little-endian):
//   .rows   "KDROWS" 0 0, u32 version, dims, metric, rows; then rows x dims float32
//   .graph  a standard Faiss index (IndexHNSWFlat, inner product) of the graph's nodes with their vectors of now
//   .nodes  "KDNODES" 0, u32 version, dims, nodes, buckets, members; then for each node the row it stands for (bit 31: a
//           bucket; 0x7fffffff: gone); buckets + 1 starts; the members' rows; buckets x dims float32; then what nodes
//           were built with: nodes x dims int8, nodes scales and nodes squared lengths, float32
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "coded_error.h"
#include "crc32c.h"
#include "frozen_shard.h"
#include "hnsw_builder.h"

namespace kindred {

namespace {

constexpr uint32_t kVersion = 1;
constexpr char kRowsMagic[8] = "KDROWS\0";
constexpr char kNodesMagic[8] = "KDNODES";

struct RowsHeader {
  char magic[8];
  uint32_t version, dims, metric, rows;
};
struct NodesHeader {
  char magic[8];
  uint32_t version, dims, nodes, buckets, members;
};

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

[[noreturn]] void Corrupt(const std::string& path, const std::string& what) { throw IndexError("SHARD_CORRUPT", NameOf(path) + ": " + what); }

class FileWriter {
 public:
  explicit FileWriter(const std::string& path) : path_(path), file_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    if (file_ < 0) Fail();
    buffer_.reserve(kBuffer);
  }
  ~FileWriter() {
    if (file_ >= 0) close(file_);
  }
  void Write(const void* bytes, size_t count) {
    crc_ = Crc32c(crc_, bytes, count);
    written_ += count;
    if (buffer_.size() + count > kBuffer) Flush();
    if (count >= kBuffer) return WriteAll(static_cast<const char*>(bytes), count);
    buffer_.insert(buffer_.end(), static_cast<const char*>(bytes), static_cast<const char*>(bytes) + count);
  }
  template <typename T>
  void WriteAll(const std::vector<T>& values) {
    Write(values.data(), values.size() * sizeof(T));
  }
  // On the disk when it returns.
  WrittenFile Finish(const std::string& suffix) {
    Flush();
    if (fsync(file_) != 0) Fail();
    const int closed = close(file_);
    file_ = -1;
    if (closed != 0) Fail();
    return {suffix, written_, crc_};
  }

 private:
  static constexpr size_t kBuffer = 1u << 20;
  void Flush() {
    WriteAll(buffer_.data(), buffer_.size());
    buffer_.clear();
  }
  void WriteAll(const char* bytes, size_t count) {
    while (count > 0) {
      const ssize_t done = write(file_, bytes, count);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) Fail();
      bytes += done;
      count -= static_cast<size_t>(done);
    }
  }
  [[noreturn]] void Fail() { throw IndexError("STORAGE_FAILED", NameOf(path_) + " could not be written: " + std::strerror(errno)); }

  const std::string path_;
  int file_;
  std::vector<char> buffer_;
  uint32_t crc_ = 0;
  uint64_t written_ = 0;
};

// Reads a whole file in parts, checked against what the manifest says.
class FileReader {
 public:
  explicit FileReader(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
    if (file_ == nullptr) Corrupt(path, std::strerror(errno));
  }
  ~FileReader() { std::fclose(file_); }
  void Check(const WrittenFile& expected) {
    struct stat info;
    if (fstat(fileno(file_), &info) != 0) Corrupt(path_, std::strerror(errno));
    if (static_cast<uint64_t>(info.st_size) != expected.bytes)
      Corrupt(path_, "has " + std::to_string(info.st_size) + " bytes where the manifest says " + std::to_string(expected.bytes));
    std::vector<char> buffer(1u << 20);
    uint32_t crc = 0;
    for (size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), file_)) > 0;) crc = Crc32c(crc, buffer.data(), got);
    if (crc != expected.crc32c) Corrupt(path_, "the checksum differs from the manifest's");
    std::rewind(file_);
    left_ = expected.bytes;
  }
  void Read(void* into, size_t count) {
    if (count > left_ || (count > 0 && std::fread(into, 1, count, file_) != count)) Corrupt(path_, "is shorter than it says");
    left_ -= count;
  }
  template <typename T>
  void ReadAll(std::vector<T>& into, size_t count) {
    if (count * sizeof(T) > left_) Corrupt(path_, "is shorter than it says");
    into.resize(count);
    Read(into.data(), count * sizeof(T));
  }
  uint64_t left() const { return left_; }

 private:
  const std::string path_;
  std::FILE* file_;
  uint64_t left_ = 0;
};

WrittenFile WriteRows(const FrozenShard& shard, const std::string& path) {
  FileWriter file(path);
  RowsHeader header{{}, kVersion, shard.dims, shard.metric, static_cast<uint32_t>(shard.ordinals.size())};
  std::memcpy(header.magic, kRowsMagic, 8);
  file.Write(&header, sizeof(header));
  for (uint32_t i = 0; i < header.rows; i++) file.Write(shard.Row(i), shard.dims * sizeof(float));
  return file.Finish(".rows");
}

WrittenFile WriteNodes(const FrozenShard& shard, const std::string& path) {
  FileWriter file(path);
  const uint32_t buckets = static_cast<uint32_t>(shard.bucket_start.size() - 1);
  NodesHeader header{{}, kVersion, shard.dims, shard.graph->size(), buckets, static_cast<uint32_t>(shard.bucket_members.size())};
  std::memcpy(header.magic, kNodesMagic, 8);
  file.Write(&header, sizeof(header));
  file.WriteAll(shard.row_of_node);
  file.WriteAll(shard.bucket_start);
  file.WriteAll(shard.bucket_members);
  for (uint32_t i = 0; i < buckets; i++) file.Write(&shard.bucket_rows[size_t{i} * shard.stride], shard.dims * sizeof(float));
  file.WriteAll(shard.built.codes());
  file.WriteAll(shard.built.scales());
  file.WriteAll(shard.built.norms());
  return file.Finish(".nodes");
}

WrittenFile WriteGraph(const FrozenShard& shard, const std::string& path) {
  // The vectors of now, so that who opens the file finds what a search here finds; the gone have zeros.
  AlignedArray<float> rows(std::max<size_t>(size_t{shard.graph->size()} * shard.stride, 1));
  for (uint32_t node = 0; node < shard.graph->size(); node++) {
    float* row = &rows[size_t{node} * shard.stride];
    const uint32_t owner = shard.row_of_node[node];
    if (owner & kBucketBit) std::memcpy(row, &shard.bucket_rows[size_t{owner & ~kBucketBit} * shard.stride], shard.stride * sizeof(float));
    else if (owner == kNoOrdinalMark) std::memset(row, 0, shard.stride * sizeof(float));
    else std::memcpy(row, shard.Row(owner), shard.stride * sizeof(float));
  }
  FileWriter file(path);
  WriteFaissIndex(*shard.graph, {rows.data(), shard.graph->size(), shard.stride}, shard.dims, [&](const void* bytes, size_t count) { file.Write(bytes, count); });
  return file.Finish(".graph");
}

void ReadRows(FrozenShard& shard, const std::string& path, const WrittenFile& expected, uint32_t rows) {
  FileReader file(path);
  file.Check(expected);
  RowsHeader header;
  file.Read(&header, sizeof(header));
  if (std::memcmp(header.magic, kRowsMagic, 8) != 0) Corrupt(path, "is not a file of rows");
  if (header.version != kVersion) Corrupt(path, "has version " + std::to_string(header.version) + ", this program reads " + std::to_string(kVersion));
  if (header.dims != shard.dims || header.metric != shard.metric || header.rows != rows) Corrupt(path, "is of another shape than the manifest says");
  if (file.left() != size_t{rows} * shard.dims * sizeof(float)) Corrupt(path, "is shorter than it says");
  shard.rows = AlignedArray<float>(std::max<size_t>(size_t{rows} * shard.stride, 1));
  for (uint32_t i = 0; i < rows; i++) {
    float* row = &shard.rows[size_t{i} * shard.stride];
    file.Read(row, shard.dims * sizeof(float));
    for (uint32_t d = 0; d < shard.dims; d++)
      if (!std::isfinite(row[d])) Corrupt(path, "holds a number that is not finite");
    std::memset(row + shard.dims, 0, (shard.stride - shard.dims) * sizeof(float));
  }
}

void ReadNodes(FrozenShard& shard, const std::string& path, const WrittenFile& expected, uint32_t rows) {
  FileReader file(path);
  file.Check(expected);
  NodesHeader header;
  file.Read(&header, sizeof(header));
  if (std::memcmp(header.magic, kNodesMagic, 8) != 0) Corrupt(path, "is not a file of nodes");
  if (header.version != kVersion) Corrupt(path, "has version " + std::to_string(header.version) + ", this program reads " + std::to_string(kVersion));
  if (header.dims != shard.dims || header.nodes == 0) Corrupt(path, "is of another shape than the manifest says");
  file.ReadAll(shard.row_of_node, header.nodes);
  file.ReadAll(shard.bucket_start, size_t{header.buckets} + 1);
  file.ReadAll(shard.bucket_members, header.members);
  if (size_t{header.buckets} * shard.dims * sizeof(float) > file.left()) Corrupt(path, "is shorter than it says");
  shard.bucket_rows = AlignedArray<float>(size_t{header.buckets} * shard.stride);
  for (uint32_t i = 0; i < header.buckets; i++) {
    float* row = &shard.bucket_rows[size_t{i} * shard.stride];
    file.Read(row, shard.dims * sizeof(float));
    std::memset(row + shard.dims, 0, (shard.stride - shard.dims) * sizeof(float));
  }
  if (file.left() != size_t{header.nodes} * (shard.dims + 8)) Corrupt(path, "is shorter than it says");
  shard.built = BuiltVectors(header.nodes, shard.dims);
  file.ReadAll(shard.built.codes(), shard.built.codes().size());
  file.ReadAll(shard.built.scales(), header.nodes);
  file.ReadAll(shard.built.norms(), header.nodes);
  // A row belongs to one node.
  std::vector<bool> taken(rows);
  const auto take = [&](uint32_t row) {
    if (row >= rows || taken[row]) Corrupt(path, "points outside of itself");
    taken[row] = true;
  };
  for (uint32_t owner : shard.row_of_node) {
    if (owner & kBucketBit ? (owner & ~kBucketBit) >= header.buckets : false) Corrupt(path, "points outside of itself");
    if (!(owner & kBucketBit) && owner != kNoOrdinalMark) take(owner);
  }
  for (uint32_t row : shard.bucket_members) take(row);
  for (uint32_t i = 0; i < header.buckets; i++)
    if (shard.bucket_start[i] > shard.bucket_start[i + 1]) Corrupt(path, "points outside of itself");
  if (shard.bucket_start[0] != 0 || shard.bucket_start[header.buckets] != header.members) Corrupt(path, "points outside of itself");
}

const WrittenFile* Find(const std::vector<WrittenFile>& files, const char* suffix) {
  for (const WrittenFile& file : files)
    if (file.suffix == suffix) return &file;
  return nullptr;
}

}  // namespace

std::vector<WrittenFile> WriteShardFiles(const FrozenShard& shard, const std::string& prefix) {
  std::vector<WrittenFile> files{WriteRows(shard, prefix + ".rows")};
  if (shard.graph == nullptr) return files;
  files.push_back(WriteGraph(shard, prefix + ".graph"));
  files.push_back(WriteNodes(shard, prefix + ".nodes"));
  return files;
}

std::unique_ptr<FrozenShard> ReadShardFiles(const std::string& prefix, const std::vector<WrittenFile>& expected, uint32_t dims, uint32_t stride, uint8_t metric, uint32_t rows) {
  auto shard = std::make_unique<FrozenShard>();
  shard->dims = dims;
  shard->metric = metric;
  shard->stride = stride;
  const WrittenFile* rows_file = Find(expected, ".rows");
  const WrittenFile* graph = Find(expected, ".graph");
  const WrittenFile* nodes = Find(expected, ".nodes");
  if (rows_file == nullptr) Corrupt(prefix, "the manifest names no file of rows");
  if ((graph == nullptr) != (nodes == nullptr)) Corrupt(prefix, "the manifest names a graph without its nodes, or nodes without their graph");
  if (graph != nullptr) {
    ReadNodes(*shard, prefix + ".nodes", *nodes, rows);
    FileReader(prefix + ".graph").Check(*graph);
    try {
      shard->graph = ReadFaissIndex(prefix + ".graph", dims, static_cast<uint32_t>(shard->row_of_node.size()));
    } catch (const IndexError& error) {
      Corrupt(prefix + ".graph", error.what());
    }
  }
  // After the graph, whose file has as many vectors again: both at one time are not needed.
  ReadRows(*shard, prefix + ".rows", *rows_file, rows);
  return shard;
}

}  // namespace kindred
