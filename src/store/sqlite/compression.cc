// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/compression.h"

#include <zstd.h>

#include <memory>

namespace avow::store {
namespace {

constexpr int kLevel = 1;
// No row of SQLite is longer, so a larger claim is a lie that must not be allocated.
constexpr unsigned long long kContentBytesMax = 1ULL << 30;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* new_compressor() {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  CHECK(context != nullptr);
  CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kLevel)) == 0);
  CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) == 0);
  return context;
}

}  // namespace

std::string compress(std::string_view bytes) {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(new_compressor());
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size =
      ZSTD_compress2(context.get(), frame.data(), frame.size(), bytes.data(), bytes.size());
  CHECK(ZSTD_isError(size) == 0);  // with compressBound() of room it has no way to fail
  // A copy of the right size: these wait in the commit queue, which counts their bytes.
  return frame.substr(0, size);
}

Result<std::string> decompress(std::string_view frame) {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  CHECK(context != nullptr);
  const unsigned long long claimed = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (claimed == ZSTD_CONTENTSIZE_ERROR || claimed == ZSTD_CONTENTSIZE_UNKNOWN) {
    return failure(Code::kCorruption, "{} stored bytes are not a compressed segment", frame.size());
  }
  if (claimed > kContentBytesMax) {
    return failure(Code::kResourceExhausted, "a stored segment claims {} bytes", claimed);
  }
  std::string bytes(claimed, '\0');
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), bytes.data(), bytes.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) {
    return failure(Code::kCorruption, "a stored segment of {} bytes: {}", frame.size(),
                   ZSTD_getErrorName(size));
  }
  if (size != claimed) {
    return failure(Code::kCorruption, "a stored segment has {} bytes, claims {}", size, claimed);
  }
  return bytes;
}

}  // namespace avow::store
