// A file that is complete or absent: written aside, checksummed (BLAKE2b), synced and renamed. Little-endian.
#pragma once
#include <sodium.h>

#include <cstdio>
#include <string>
#include <vector>

#include "read_model_memory.h"

namespace kindred::read_model {

class FileWriter {
 public:
  // @throws CodedError STORAGE_FAILED
  FileWriter(const std::string& directory, const std::string& name, const char (&magic)[9], uint32_t version);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;

  void Bytes(const void* data, size_t size);
  template <typename T>
  void Number(T value) {
    Bytes(&value, sizeof(value));
  }
  void String(std::string_view text) {
    Number(static_cast<uint32_t>(text.size()));
    Bytes(text.data(), text.size());
  }
  // The file is there from here on.
  void Finish();

 private:
  const std::string directory_;
  const std::string target_;
  const std::string aside_;
  std::FILE* file_;
  crypto_generichash_state hash_;
};

class FileReader {
 public:
  // Reads the whole file once to verify it. @throws CodedError SHARD_CORRUPT, DIRECTORY_NEWER, STORAGE_FAILED
  FileReader(const std::string& path, const char (&magic)[9], uint32_t version);
  ~FileReader();
  FileReader(const FileReader&) = delete;

  static bool Exists(const std::string& path);
  void Bytes(void* data, size_t size);
  template <typename T>
  T Number() {
    T value;
    Bytes(&value, sizeof(value));
    return value;
  }
  std::string String(uint32_t longest);
  // What cannot be, though the checksum fits: a fault of who wrote it.
  [[noreturn]] void Corrupt(const std::string& what) const;
  // @throws unless everything was read
  void Finish();

 private:
  void CheckHeader(const char (&magic)[9], uint32_t version);
  void CheckSum(uint64_t size);

  const std::string path_;
  std::FILE* file_;
  uint64_t left_ = 0;
};

}  // namespace kindred::read_model
