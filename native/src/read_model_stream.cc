#include "read_model_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kindred::read_model {

namespace {

constexpr size_t kSum = 32;
constexpr size_t kHeaderSum = 16;
constexpr size_t kHeader = 16 + kHeaderSum;
constexpr size_t kBuffer = 1 << 20;

CodedError Failed(const std::string& what) { return CodedError("STORAGE_FAILED", what + ": " + std::strerror(errno)); }

// Magic, version, and a sum of their own: a newer version is told from a damaged one.
void MakeHeader(unsigned char (&header)[kHeader], const char* magic, uint32_t version) {
  std::memset(header, 0, sizeof(header));
  std::memcpy(header, magic, 8);
  std::memcpy(header + 8, &version, sizeof(version));
  crypto_generichash(header + 16, kHeaderSum, header, 16, nullptr, 0);
}

}  // namespace

FileWriter::FileWriter(const std::string& directory, const std::string& name, const char (&magic)[9], uint32_t version)
    : directory_(directory), target_(directory + "/" + name), aside_(target_ + ".writing"), file_(std::fopen(aside_.c_str(), "wb")) {
  if (file_ == nullptr) throw Failed("cannot write " + aside_);
  std::setvbuf(file_, nullptr, _IOFBF, kBuffer);
  crypto_generichash_init(&hash_, nullptr, 0, kSum);
  unsigned char header[kHeader];
  MakeHeader(header, magic, version);
  Bytes(header, sizeof(header));
}

FileWriter::~FileWriter() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  unlink(aside_.c_str());
}

void FileWriter::Bytes(const void* data, size_t size) {
  if (size == 0) return;
  crypto_generichash_update(&hash_, static_cast<const unsigned char*>(data), size);
  if (std::fwrite(data, 1, size, file_) != size) throw Failed("cannot write " + aside_);
}

void FileWriter::Finish() {
  unsigned char sum[kSum];
  crypto_generichash_final(&hash_, sum, sizeof(sum));
  if (std::fwrite(sum, 1, sizeof(sum), file_) != sizeof(sum) || std::fflush(file_) != 0 || fsync(fileno(file_)) != 0)
    throw Failed("cannot write " + aside_);
  if (std::rename(aside_.c_str(), target_.c_str()) != 0) throw Failed("cannot rename " + aside_);
  std::fclose(file_);
  file_ = nullptr;
  // The name is durable once its directory is.
  const int folder = open(directory_.c_str(), O_RDONLY);
  if (folder < 0) throw Failed("cannot open " + directory_);
  const int synced = fsync(folder);
  close(folder);
  if (synced != 0) throw Failed("cannot sync " + directory_);
}

bool FileReader::Exists(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw Failed("cannot read " + path);
}

FileReader::FileReader(const std::string& path, const char (&magic)[9], uint32_t version) : path_(path), file_(std::fopen(path.c_str(), "rb")) {
  if (file_ == nullptr) throw Failed("cannot read " + path);
  try {
    std::setvbuf(file_, nullptr, _IOFBF, kBuffer);
    struct stat found;
    if (fstat(fileno(file_), &found) != 0) throw Failed("cannot read " + path);
    if (!S_ISREG(found.st_mode)) Corrupt("not a file");
    const auto size = static_cast<uint64_t>(found.st_size);
    if (size < kHeader + kSum) Corrupt("cut short");
    CheckHeader(magic, version);
    CheckSum(size - kSum);
    left_ = size - kSum - kHeader;
    if (std::fseek(file_, kHeader, SEEK_SET) != 0) throw Failed("cannot read " + path);
  } catch (...) {
    std::fclose(file_);
    throw;
  }
}

FileReader::~FileReader() { std::fclose(file_); }

void FileReader::CheckHeader(const char (&magic)[9], uint32_t version) {
  unsigned char header[kHeader];
  unsigned char expected[kHeader];
  left_ = kHeader;
  Bytes(header, sizeof(header));
  uint32_t found;
  std::memcpy(&found, header + 8, sizeof(found));
  MakeHeader(expected, magic, found);
  if (std::memcmp(header, expected, sizeof(header)) != 0) Corrupt("its header is damaged");
  if (found > version) throw CodedError("DIRECTORY_NEWER", path_ + " was written by a newer version (format " + std::to_string(found) + ")");
  if (found != version) Corrupt("its format is not known");
}

void FileReader::CheckSum(uint64_t size) {
  std::rewind(file_);
  left_ = size;
  crypto_generichash_state hash;
  crypto_generichash_init(&hash, nullptr, 0, kSum);
  std::vector<unsigned char> buffer(kBuffer);
  while (left_ > 0) {
    const auto part = static_cast<size_t>(left_ < kBuffer ? left_ : kBuffer);
    Bytes(buffer.data(), part);
    crypto_generichash_update(&hash, buffer.data(), part);
  }
  unsigned char computed[kSum];
  unsigned char stored[kSum];
  crypto_generichash_final(&hash, computed, sizeof(computed));
  left_ = kSum;
  Bytes(stored, sizeof(stored));
  if (std::memcmp(computed, stored, kSum) != 0) Corrupt("its checksum does not fit");
}

void FileReader::Bytes(void* data, size_t size) {
  if (size > left_) Corrupt("cut short");
  if (size > 0 && std::fread(data, 1, size, file_) != size) throw Failed("cannot read " + path_);
  left_ -= size;
}

std::string FileReader::String(uint32_t longest) {
  const auto length = Number<uint32_t>();
  if (length > longest) Corrupt("a text is too long");
  std::string text(length, '\0');
  Bytes(text.data(), length);
  return text;
}

void FileReader::Corrupt(const std::string& what) const { throw CodedError("SHARD_CORRUPT", path_ + " is damaged: " + what); }

void FileReader::Finish() {
  if (left_ != 0) Corrupt("it holds more than it should");
}

}  // namespace kindred::read_model
