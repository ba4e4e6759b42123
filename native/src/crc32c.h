// CRC-32C (Castagnoli), as in RFC 3720 appendix B.4; by the processor's instruction where it has one.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kindred {

// Of bytes that follow those with checksum `before` (0 to begin).
uint32_t Crc32c(uint32_t before, const void* bytes, size_t count);

}  // namespace kindred
