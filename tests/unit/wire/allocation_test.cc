#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "common/wire/codec.h"
#include "tests/unit/wire/hex_file.h"
#include "tests/unit/wire/samples.h"

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> allocated_bytes{0};

void* count_and_allocate(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(size, std::memory_order_relaxed);
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

// Counts what the code under test takes from the heap. GCC takes the pairing of malloc and free across these for a mistake.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t size) { return count_and_allocate(size); }
void* operator new[](std::size_t size) { return count_and_allocate(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return count_and_allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return count_and_allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
#pragma GCC diagnostic pop

namespace rota::wire::test {
namespace {

Message submit_of(std::size_t jobs) {
  Submit body;
  body.shared.push_back({"default", "noop", {}, {}});
  body.items.resize(jobs, SubmitItem{0, sample_id(1), {}, "payload", "key"});
  return {1, body};
}
Message dispatch_of(std::size_t jobs) {
  Dispatch body;
  body.shared.push_back({"default", "noop", Millis{0}, false, "\x90"});
  body.items.resize(jobs, DispatchItem{0, 1, sample_id(1), 1, {}, "payload", Millis{0}});
  return {0, body};
}
Message complete_of(std::size_t jobs) {
  Complete body;
  CompleteItem item;
  item.job.id = sample_id(1);
  item.report.result = "ok";
  body.items.resize(jobs, item);
  return {1, body};
}
Message submitted_of(std::size_t jobs) {
  Submitted body;
  ItemResult plain;
  plain.plain = true;
  body.items.resize(jobs, plain);
  return {1, body};
}

using Make = Message (*)(std::size_t);

std::size_t allocations_of_decode(Decoder& decoder, const std::string& frame) {
  const std::size_t before = allocations.load();
  const auto message = decoder.decode(frame);
  EXPECT_TRUE(message.ok());
  return allocations.load() - before;
}

TEST(Allocations, DecodingTakesNoMoreForManyJobsThanForOne) {
  for (const Make make : {&submit_of, &dispatch_of, &complete_of, &submitted_of}) {
    std::string one;
    encode(make(1), one);
    std::string many;
    encode(make(1000), many);
    Decoder decoder;
    ASSERT_TRUE(decoder.decode(many).ok());  // the scratch space has its size now
    EXPECT_EQ(allocations_of_decode(decoder, many), allocations_of_decode(decoder, one));
    EXPECT_LE(allocations_of_decode(decoder, many), 4U);
  }
}

TEST(Allocations, EncodingIntoAReusedStringTakesNone) {
  for (const Make make : {&submit_of, &dispatch_of, &complete_of, &submitted_of}) {
    const Message message = make(1000);
    std::string frame;
    encode(message, frame);
    frame.clear();
    const std::size_t before = allocations.load();
    encode(message, frame);
    EXPECT_EQ(allocations.load(), before);
  }
}

TEST(Allocations, AClaimOfLengthTakesNoMemory) {
  for (const char* claim : {"dd ff ff ff ff", "df ff ff ff ff", "db ff ff ff ff", "c6 ff ff ff ff", "dd 00 07 ff ff",
                            "de ff ff", "c9 ff ff ff ff 01"}) {
    for (const char* envelope : {"", "93 10 01", "94 10 01 00", "95 10 01 00 90", "94 12 01 c3", "93 01 01"}) {
      const std::string frame = parse_hex(envelope) + parse_hex(claim);
      Decoder decoder;
      const std::size_t before = allocated_bytes.load();
      EXPECT_FALSE(decoder.decode(frame).ok());
      EXPECT_LT(allocated_bytes.load() - before, 4096U) << envelope << " " << claim;
    }
  }
}

}  // namespace
}  // namespace rota::wire::test
